from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dropscore.errors import BodyTooLargeError, PermanentError, RejectedError, RowsRefusedError, TransientError
from dropscore.lines import Body, Limit, cut
from dropscore.pace import Retry
from dropscore.scorer import BadRow, Invoke, Scored, Scorer

ONCE = Retry(attempts=1)
ROWS = [f"{number}\n".encode() for number in range(200)]


@dataclass
class Fed:
    """A scorer that is fed with bytes, which are cut under its own limit."""

    scorer: Scorer

    def score(self, chunks: Iterable[bytes]) -> Iterator[Scored]:
        return self.scorer.score(cut(chunks, self.scorer.limit))


def _scorer(invoke: Invoke, **changes: object) -> Fed:
    given = {"invoke": invoke, "limit": Limit(12), "in_flight": 4, "retry": ONCE} | changes
    return Fed(Scorer(**given))  # type: ignore[arg-type]


def _lines(scored: list[Scored]) -> bytes:
    return b"".join(part.lines for part in scored)


def echo(body: Body) -> bytes:
    return body.data


def refusing(bad: set[int], *, names: bool) -> Invoke:
    """Refuses a body that holds one of the `bad` numbers; row n holds number n - 1."""

    def invoke(body: Body) -> bytes:
        found = [row for row, number in enumerate(body.data.split(), body.first_row) if int(number) in bad]
        if found:
            raise RowsRefusedError("NOT_A_NUMBER", "no", rows=(found[0], found[0]), reason="no", is_named=names)
        return body.data

    return invoke


def test_scores_come_in_the_order_of_the_rows_however_late_the_replies() -> None:
    def later_ones_are_faster(body: Body) -> bytes:
        time.sleep(0.004 if body.first_row % 2 else 0)
        return body.data

    assert _lines(list(_scorer(later_ones_are_faster, in_flight=8).score(ROWS))) == b"".join(ROWS)


def test_at_most_in_flight_bodies_are_asked_for_at_one_time() -> None:
    asked, most, lock = 0, 0, threading.Lock()

    def invoke(body: Body) -> bytes:
        nonlocal asked, most
        with lock:
            asked += 1
            most = max(most, asked)
        time.sleep(0.002)
        with lock:
            asked -= 1
        return body.data

    assert len(list(_scorer(invoke, in_flight=3).score(ROWS))) > 10
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

    def once(body: Body) -> bytes:
        if body.first_row not in failed:
            failed.add(body.first_row)
            raise TransientError("AWS_BUSY", "busy")
        return body.data

    quick = Retry(sleep=lambda _: None)
    assert _lines(list(_scorer(once, retry=quick).score(ROWS[:40]))) == b"".join(ROWS[:40])


def test_a_permanent_fault_ends_it_at_once() -> None:
    calls = 0

    def refuse(_body: Body) -> bytes:
        nonlocal calls
        calls += 1
        raise PermanentError("ACCESS_DENIED", "no")

    with pytest.raises(PermanentError):
        list(_scorer(refuse, in_flight=1).score(ROWS))
    assert calls == 1


def test_a_reply_with_too_few_scores_is_never_passed_on() -> None:
    with pytest.raises(PermanentError, match="BAD_RESPONSE"):
        list(_scorer(lambda body: body.data.split(b"\n", 1)[1]).score(ROWS))


@pytest.mark.parametrize("names", [True, False])
def test_the_first_bad_row_of_the_file_ends_it_where_none_is_borne(names: bool) -> None:
    for _ in range(20):
        with pytest.raises(RowsRefusedError, match=r"row 57: no"):
            list(_scorer(refusing({56, 58, 120}, names=names), in_flight=8).score(ROWS))


@settings(deadline=None)
@given(st.sets(st.integers(0, 199)), st.booleans(), st.integers(8, 200))
def test_bad_rows_are_told_from_good_ones(bad: set[int], names: bool, limit: int) -> None:
    scorer = _scorer(refusing(bad, names=names), most_bad_rows=200, limit=Limit(limit))
    scored = list(scorer.score(ROWS))
    assert _lines(scored).split(b"\n")[:-1] == [b"" if n in bad else b"%d" % n for n in range(200)]
    assert [row.row for part in scored for row in part.bad] == [n + 1 for n in sorted(bad)]
    assert all(b"".join(ROWS)[row.offset :].startswith(b"%d\n" % (row.row - 1)) for part in scored for row in part.bad)
    assert sum(part.rows for part in scored) == 200


def test_more_bad_rows_in_a_body_than_are_borne_end_it() -> None:
    bad = refusing({1, 2, 3}, names=True)
    assert sum(len(part.bad) for part in _scorer(bad, most_bad_rows=3, limit=Limit(999)).score(ROWS)) == 3
    with pytest.raises(RowsRefusedError, match="row 4"):
        list(_scorer(bad, most_bad_rows=2, limit=Limit(999)).score(ROWS))


def test_a_bad_row_is_known_by_its_number_its_place_its_code_and_its_reason() -> None:
    (scored,) = _scorer(refusing({2}, names=False), most_bad_rows=1, limit=Limit(999)).score(ROWS[:5])
    assert scored.bad == (BadRow(row=3, offset=4, code="NOT_A_NUMBER", reason="no"),)


def test_a_model_that_names_the_wrong_row_is_not_believed() -> None:
    def liar(body: Body) -> bytes:
        if b"7" in body.data.split():
            raise RowsRefusedError("BAD_ROW", "no", rows=(body.first_row,) * 2, reason="no", is_named=True)
        return body.data

    scored = list(_scorer(liar, most_bad_rows=1, limit=Limit(999)).score(ROWS[:20]))
    assert [row.row for part in scored for row in part.bad] == [8]


@pytest.mark.parametrize("names", [True, False])
def test_many_bad_rows_cost_few_bytes(names: bool) -> None:
    sent = 0
    rows = [b"%06d\n" % n for n in range(4096)]
    inner = refusing(set(range(0, 4096, 4)), names=names)

    def counted(body: Body) -> bytes:
        nonlocal sent
        sent += len(body.data)
        return inner(body)

    list(_scorer(counted, most_bad_rows=4096, limit=Limit(1 << 20)).score(rows))
    assert sent < 20 * sum(map(len, rows))


def test_a_body_that_is_too_large_is_halved_and_the_size_remembered() -> None:
    sizes: list[int] = []

    def small(body: Body) -> bytes:
        sizes.append(len(body.data))
        if len(body.data) > 30:
            raise BodyTooLargeError("BODY_TOO_LARGE", "413")
        return body.data

    limit = Limit(400)
    assert _lines(list(_scorer(small, in_flight=1, limit=limit).score(ROWS))) == b"".join(ROWS)
    assert limit.bytes <= 30
    assert all(size <= 30 for size in sizes[-15:])


def test_a_single_row_that_is_too_large_is_rejected_by_its_number() -> None:
    def tiny(body: Body) -> bytes:
        if len(body.data) > 3:
            raise BodyTooLargeError("BODY_TOO_LARGE", "413")
        return body.data

    with pytest.raises(RejectedError, match=r"ROW_TOO_LARGE: row 101 \(at byte 290\)"):
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


def _moody(chance: random.Random) -> Callable[[Body], bytes]:
    def invoke(body: Body) -> bytes:
        fate = chance.random()
        if fate < 0.1:
            raise TransientError("AWS_BUSY", "busy")
        if fate < 0.2 and len(body.data) > 8:
            raise BodyTooLargeError("BODY_TOO_LARGE", "413")
        return body.data

    return invoke


def test_no_request_is_over_the_limit_though_it_is_longer_than_its_rows() -> None:
    sizes: list[int] = []

    def invoke(body: Body) -> bytes:
        sizes.append(len(body.data))
        return body.data.replace(b",0000", b"")

    longer = _scorer(invoke, payload=lambda data: data.replace(b"\n", b",0000\n"))
    assert _lines(list(longer.score(ROWS))) == b"".join(ROWS)
    assert max(sizes) <= 12
