from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from dropscore.errors import PermanentError, TransientError
from dropscore.lines import Body, cut
from dropscore.scorer import Retry, score

ONCE = Retry(attempts=1)
ROWS = [f"{number}\n".encode() for number in range(200)]


def _bodies() -> Iterator[Body]:
    return cut(ROWS, 12)


def test_scores_come_in_the_order_of_the_rows_however_late_the_replies() -> None:
    def later_ones_are_faster(body: Body) -> bytes:
        time.sleep(0.004 if body.first_row % 2 else 0)
        return body.data

    scores = b"".join(lines for _, lines in score(_bodies(), later_ones_are_faster, in_flight=8, retry=ONCE))
    assert scores == b"".join(ROWS)


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

    assert len(list(score(_bodies(), invoke, in_flight=3, retry=ONCE))) > 10
    assert 1 < most <= 3


def test_bodies_are_read_only_as_they_are_needed() -> None:
    read = 0

    def counted() -> Iterator[Body]:
        nonlocal read
        for body in _bodies():
            read += 1
            yield body

    next(iter(score(counted(), lambda body: body.data, in_flight=4, retry=ONCE)))
    assert read == 4


def test_a_transient_fault_is_tried_again_and_then_given_up() -> None:
    waits: list[float] = []
    calls = 0

    def busy(_body: Body) -> bytes:
        nonlocal calls
        calls += 1
        raise TransientError("AWS_BUSY", "busy")

    with pytest.raises(TransientError):
        list(score(_bodies(), busy, in_flight=1, retry=Retry(attempts=4, sleep=waits.append)))
    assert (calls, len(waits)) == (4, 3)
    assert all(0 <= wait <= 20 for wait in waits)


def test_a_transient_fault_that_passes_costs_nothing() -> None:
    failed: set[int] = set()

    def once(body: Body) -> bytes:
        if body.first_row not in failed:
            failed.add(body.first_row)
            raise TransientError("AWS_BUSY", "busy")
        return body.data

    scores = b"".join(lines for _, lines in score(_bodies(), once, in_flight=2, retry=Retry(sleep=lambda _: None)))
    assert scores == b"".join(ROWS)


def test_a_permanent_fault_ends_it_at_once() -> None:
    calls = 0

    def refuse(_body: Body) -> bytes:
        nonlocal calls
        calls += 1
        raise PermanentError("ACCESS_DENIED", "no")

    with pytest.raises(PermanentError):
        list(score(_bodies(), refuse, in_flight=1, retry=ONCE))
    assert calls == 1


def test_a_reply_with_too_few_scores_is_never_passed_on() -> None:
    with pytest.raises(PermanentError, match="BAD_RESPONSE"):
        list(score(_bodies(), lambda body: body.data.split(b"\n", 1)[1], in_flight=2, retry=ONCE))
