from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dropscore.errors import (
    PermanentError,
    RejectedError,
    RequestTooLargeError,
    RowFault,
    RowsRefusedError,
    TransientError,
)
from dropscore.files.requests import Cutter, Request
from dropscore.jobs.bad_rows import BadRow
from dropscore.scoring.pace import Budget, Retry
from dropscore.scoring.scorer import Invoke, Scored, Scorer

ONCE = Retry(attempts=1)
ROWS = [f"{number}\n".encode() for number in range(200)]


@dataclass
class Fed:
    """A scorer and the bytes that are cut for it."""

    scorer: Scorer

    def score(self, chunks: Iterable[bytes]) -> Iterator[Scored]:
        return self.scorer.score(Cutter(chunks, self.scorer.max_bytes))


def _scorer(invoke: Invoke, **changes: object) -> Fed:
    size = changes.pop("size", 12)
    given = {"max_bytes": size, "limit_bytes": size, "max_concurrent_requests": 4, "retry": ONCE} | changes
    return Fed(Scorer(invoke=invoke, **given))  # type: ignore[arg-type]


def _lines(scored: list[Scored]) -> bytes:
    return b"".join(part.lines for part in scored)


def echo(request: Request) -> bytes:
    return request.data


def refusing(bad: set[int], *, names: bool) -> Invoke:
    """Refuses a request that holds one of the `bad` numbers; row n holds number n - 1."""

    def invoke(request: Request) -> bytes:
        found = [row for row, number in enumerate(request.data.split(), request.first_row) if int(number) in bad]
        if found:
            faults = [RowFault(found[0] - request.first_row, "NOT_A_NUMBER", "no")] if names else []
            raise RowsRefusedError("NOT_A_NUMBER", "no", rows=(found[0], found[0]), reason="no", faults=faults)
        return request.data

    return invoke


def test_scores_come_in_the_order_of_the_rows_however_late_the_replies() -> None:
    def later_ones_are_faster(request: Request) -> bytes:
        time.sleep(0.004 if request.first_row % 2 else 0)
        return request.data

    assert _lines(list(_scorer(later_ones_are_faster, max_concurrent_requests=8).score(ROWS))) == b"".join(ROWS)


def test_at_most_in_flight_bodies_are_asked_for_at_one_time() -> None:
    asked, most, lock = 0, 0, threading.Lock()

    def invoke(request: Request) -> bytes:
        nonlocal asked, most
        with lock:
            asked += 1
            most = max(most, asked)
        time.sleep(0.002)
        with lock:
            asked -= 1
        return request.data

    assert len(list(_scorer(invoke, max_concurrent_requests=3).score(ROWS))) > 10
    assert 1 < most <= 3


def test_bytes_are_read_only_as_they_are_needed() -> None:
    read = 0

    def counted() -> Iterator[bytes]:
        nonlocal read
        for row in ROWS:
            read += 1
            yield row

    next(iter(_scorer(echo).score(counted())))
    assert read < 40


def test_a_transient_fault_that_passes_costs_nothing() -> None:
    failed: set[int] = set()

    def once(request: Request) -> bytes:
        if request.first_row not in failed:
            failed.add(request.first_row)
            raise TransientError("THROTTLED", "busy")
        return request.data

    quick = Retry(sleep=lambda _: None)
    assert _lines(list(_scorer(once, retry=quick).score(ROWS[:40]))) == b"".join(ROWS[:40])


def test_a_permanent_fault_ends_it_at_once() -> None:
    calls = 0

    def refuse(_request: Request) -> bytes:
        nonlocal calls
        calls += 1
        raise PermanentError("ACCESS_DENIED", "no")

    with pytest.raises(PermanentError):
        list(_scorer(refuse, max_concurrent_requests=1).score(ROWS))
    assert calls == 1


def test_a_reply_with_too_few_scores_is_never_passed_on() -> None:
    with pytest.raises(PermanentError, match="BAD_RESPONSE"):
        list(_scorer(lambda request: request.data.split(b"\n", 1)[1]).score(ROWS))


@pytest.mark.parametrize("names", [True, False])
def test_the_first_bad_row_of_the_file_ends_it_where_none_is_borne(names: bool) -> None:
    for _ in range(20):
        with pytest.raises(RowsRefusedError, match=r"row 57 \(line 57, at byte \d+\): the model refused it: no"):
            list(_scorer(refusing({56, 58, 120}, names=names), max_concurrent_requests=8).score(ROWS))


@settings(deadline=None)
@given(st.sets(st.integers(0, 199)), st.booleans(), st.integers(8, 200))
def test_bad_rows_are_told_from_good_ones(bad: set[int], names: bool, limit: int) -> None:
    scorer = _scorer(refusing(bad, names=names), max_bad_rows=200, size=limit)
    scored = list(scorer.score(ROWS))
    assert _lines(scored).split(b"\n")[:-1] == [b"" if n in bad else b"%d" % n for n in range(200)]
    assert [row.row for part in scored for row in part.bad] == [n + 1 for n in sorted(bad)]
    assert all(b"".join(ROWS)[row.offset :].startswith(b"%d\n" % (row.row - 1)) for part in scored for row in part.bad)
    assert sum(part.rows for part in scored) == 200


def test_more_bad_rows_in_a_body_than_are_borne_end_it() -> None:
    bad = refusing({1, 2, 3}, names=True)
    assert sum(len(part.bad) for part in _scorer(bad, max_bad_rows=3, size=999).score(ROWS)) == 3
    with pytest.raises(RowsRefusedError, match="row 4"):
        list(_scorer(bad, max_bad_rows=2, size=999).score(ROWS))


def test_a_bad_row_is_known_by_its_number_its_place_its_code_and_its_reason() -> None:
    (scored,) = _scorer(refusing({2}, names=False), max_bad_rows=1, size=999).score(ROWS[:5])
    assert scored.bad == (BadRow(row=3, offset=4, code="NOT_A_NUMBER", reason="no", line=3),)


def test_a_model_that_names_the_wrong_row_is_not_believed() -> None:
    def liar(request: Request) -> bytes:
        if b"7" in request.data.split():
            fault = RowFault(0, "BAD_ROW", "no")
            raise RowsRefusedError("BAD_ROW", "no", rows=(request.first_row,) * 2, reason="no", faults=[fault])
        return request.data

    scored = list(_scorer(liar, max_bad_rows=1, size=999).score(ROWS[:20]))
    assert [row.row for part in scored for row in part.bad] == [8]


def test_a_container_that_counts_lines_makes_no_good_row_bad() -> None:
    def by_lines(body: Request) -> bytes:
        faults = [RowFault(0, "BAD_ROW", "no"), RowFault(1, "BAD_ROW", "no")][: body.rows]
        if b"bad" in body.data:
            raise RowsRefusedError("BAD_ROW", "no", rows=(1, 1), reason="no", faults=faults)
        return b"1\n" * body.rows

    (scored,) = _scorer(by_lines, max_bad_rows=2, size=999).score([b'1,"bad\nbad"\n', b"3,4\n"])
    assert [row.row for row in scored.bad] == [1]
    assert scored.lines == b"\n1\n"


@pytest.mark.parametrize("names", [True, False])
def test_many_bad_rows_cost_few_bytes(names: bool) -> None:
    sent = 0
    rows = [b"%06d\n" % n for n in range(4096)]
    inner = refusing(set(range(0, 4096, 4)), names=names)

    def counted(request: Request) -> bytes:
        nonlocal sent
        sent += len(request.data)
        return inner(request)

    list(_scorer(counted, max_bad_rows=4096, max_refusals=9999, size=1 << 20).score(rows))
    assert sent < 20 * sum(map(len, rows))


def naming(bad: set[int], most: int, *, says_more: bool = True) -> Invoke:
    """Refuses a request that holds one of the `bad` numbers, and names the first `most` of them."""

    def invoke(request: Request) -> bytes:
        found = [place for place, number in enumerate(request.data.split()) if int(number) in bad]
        if found:
            faults = [RowFault(place, "NOT_A_NUMBER", "no") for place in found[:most]]
            more = len(found) > most and says_more
            raise RowsRefusedError("NOT_A_NUMBER", "no", rows=(1, 1), reason="no", faults=faults, has_more=more)
        return request.data

    return invoke


def inventing(bad: set[int], chance: random.Random) -> Invoke:
    """Refuses a request that holds one of the `bad` numbers, and names any rows but never all."""

    def invoke(request: Request) -> bytes:
        if any(int(number) in bad for number in request.data.split()):
            named = sorted(chance.sample(range(request.rows), chance.randrange(request.rows)))
            faults = [RowFault(place, "NOT_A_NUMBER", "no") for place in named]
            more = chance.choice([True, False, None])
            raise RowsRefusedError("BAD_ROW", "no", rows=(1, 1), reason="no", faults=faults, has_more=more)
        return request.data

    return invoke


@settings(deadline=None)
@given(st.sets(st.integers(0, 199)), st.integers(1, 50), st.booleans(), st.integers(8, 999))
def test_rows_that_are_named_together_are_told_apart(bad: set[int], most: int, says_more: bool, limit: int) -> None:
    scorer = _scorer(naming(bad, most, says_more=says_more), max_bad_rows=200, size=limit)
    _assert_found(list(scorer.score(ROWS)), bad)


@settings(deadline=None)
@given(st.sets(st.integers(0, 199)), st.randoms(use_true_random=False))
def test_no_row_is_bad_because_it_is_named(bad: set[int], chance: random.Random) -> None:
    scorer = _scorer(inventing(bad, chance), max_bad_rows=200, size=999, max_concurrent_requests=1)
    _assert_found(list(scorer.score(ROWS)), bad)


def _assert_found(scored: list[Scored], bad: set[int]) -> None:
    assert _lines(scored).split(b"\n")[:-1] == [b"" if n in bad else b"%d" % n for n in range(200)]
    assert [row.row for part in scored for row in part.bad] == [n + 1 for n in sorted(bad)]
    assert all(b"".join(ROWS)[row.offset :].startswith(b"%d\n" % (row.row - 1)) for part in scored for row in part.bad)


@pytest.mark.parametrize(
    ("rows", "every", "most", "requests", "times"),
    [
        (20_833, 1, 1000, 70, 10),  # all rows bad, as many named as one reply holds
        (83_000, 100, 1000, 3, 2.1),  # 1% of a request of 5 MB
        (83_000, 100, 200, 20, 5),
        (83_000, 100, 42, 100, 8),
        (20_833, 20_000, 1, 7, 3),  # the usual container of one's own: one hint, two bad rows
    ],
)
def test_bad_rows_that_are_named_cost_few_requests(
    rows: int, every: int, most: int, requests: int, times: float
) -> None:
    sizes: list[int] = []
    bad = set(range(0, rows, every))
    inner = naming(bad, most)

    def counted(request: Request) -> bytes:
        sizes.append(len(request.data))
        return inner(request)

    data = b"".join(b"%059d\n" % n for n in range(rows))
    (scored,) = _scorer(counted, max_bad_rows=rows, size=len(data)).score([data])
    assert len(scored.bad) == len(bad)
    assert len(sizes) <= requests
    assert sum(sizes) <= times * len(data)


@pytest.mark.parametrize("names", [True, False])
def test_a_search_that_costs_too_much_ends(names: bool) -> None:
    asked = 0
    inner = refusing(set(range(20_833)), names=names)

    def counted(request: Request) -> bytes:
        nonlocal asked
        asked += 1
        return inner(request)

    data = b"".join(b"%059d\n" % n for n in range(20_833))
    with pytest.raises(RejectedError, match=r"TOO_MANY_REQUESTS: rows 1 to 20833 .* let the model container name"):
        list(_scorer(counted, max_bad_rows=20_833, size=len(data)).score([data]))
    assert asked < 2100


def test_the_search_through_a_whole_file_is_bounded() -> None:
    few = Budget(capacity=100, cost=1, gain=1)
    with pytest.raises(RejectedError, match="TOO_MANY_REQUESTS"):
        list(_scorer(refusing(set(range(200)), names=False), max_bad_rows=200, refusal_budget=few).score(ROWS))
    enough = Budget(capacity=100, cost=1, gain=9)
    scored = list(_scorer(refusing(set(range(200)), names=False), max_bad_rows=200, refusal_budget=enough).score(ROWS))
    assert sum(len(part.bad) for part in scored) == 200


def test_a_fault_of_rows_asked_for_together_names_their_span() -> None:
    bad = naming({3, 9}, 2)

    def invoke(request: Request) -> bytes:
        return b"x" if request.data.startswith(b"0\n1\n2\n4\n") else bad(request)

    with pytest.raises(PermanentError, match=r"BAD_RESPONSE: rows 1 to 20 \("):
        list(_scorer(invoke, max_bad_rows=9, size=999).score(ROWS[:20]))


def test_a_body_that_is_too_large_is_halved_and_the_size_remembered() -> None:
    sizes: list[int] = []

    def small(request: Request) -> bytes:
        sizes.append(len(request.data))
        if len(request.data) > 30:
            raise RequestTooLargeError("BODY_TOO_LARGE", "413")
        return request.data

    scored = list(_scorer(small, max_concurrent_requests=1, size=400).score(ROWS))
    assert _lines(scored) == b"".join(ROWS)
    assert scored[-1].limit_bytes <= 30
    assert all(size <= 30 for size in sizes[-15:])


def test_a_single_row_that_is_too_large_is_rejected_by_its_number() -> None:
    def tiny(request: Request) -> bytes:
        if len(request.data) > 3:
            raise RequestTooLargeError("BODY_TOO_LARGE", "413")
        return request.data

    with pytest.raises(RejectedError, match=r"ROW_TOO_LARGE: row 101 \(line 101, at byte 290\)"):
        list(_scorer(tiny).score(ROWS))


def test_a_row_that_cannot_be_cut_is_told_after_what_stands_before_it() -> None:
    with pytest.raises(RowsRefusedError, match="row 3"):
        list(_scorer(refusing({2}, names=True)).score([*ROWS[:9], b"1234567890123"]))
    with pytest.raises(RejectedError, match="row 10 "):
        list(_scorer(echo).score([*ROWS[:9], b"1234567890123"]))


def test_random_faults_lose_and_reorder_nothing() -> None:
    for seed in range(30):
        chance = random.Random(seed)
        assert _lines(list(_scorer(_moody(chance), retry=Retry(sleep=lambda _: None)).score(ROWS))) == b"".join(ROWS)


def _moody(chance: random.Random) -> Callable[[Request], bytes]:
    def invoke(request: Request) -> bytes:
        fate = chance.random()
        if fate < 0.1:
            raise TransientError("THROTTLED", "busy")
        if fate < 0.2 and len(request.data) > 8:
            raise RequestTooLargeError("BODY_TOO_LARGE", "413")
        return request.data

    return invoke


def test_no_request_is_over_the_limit_though_it_is_longer_than_its_rows() -> None:
    sizes: list[int] = []

    def invoke(request: Request) -> bytes:
        sizes.append(len(request.data))
        return request.data.replace(b",0000", b"")

    longer = _scorer(invoke, payload=lambda data: data.replace(b"\n", b",0000\n"))
    assert _lines(list(longer.score(ROWS))) == b"".join(ROWS)
    assert max(sizes) <= 12
