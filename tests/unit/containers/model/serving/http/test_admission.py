from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from model.serving.http.admission import Admission
from model.serving.refusal import RefusalError


def test_request_over_the_limit_is_refused() -> None:
    admission = Admission(running=1, waiting=2, memory_bytes=0)
    with ExitStack() as held:
        for _ in range(3):
            held.enter_context(admission.place())
        with pytest.raises(RefusalError) as raised, admission.place():
            pass
        assert (raised.value.status, raised.value.code) == (503, "BUSY")
        assert raised.value.headers == {"Retry-After": "1"}
    with admission.place():
        pass


def test_place_is_given_back_after_an_error() -> None:
    admission = Admission(running=1, waiting=0, memory_bytes=0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), admission.place(), admission.slots():
            raise ZeroDivisionError
    with admission.place(), admission.slots():
        pass


def test_only_so_many_run_at_once() -> None:
    admission, now, most = Admission(running=2, waiting=8, memory_bytes=0), [0], [0]
    lock = threading.Lock()

    def run(_: int) -> None:
        with admission.place(), admission.slots():
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            time.sleep(0.01)
            with lock:
                now[0] -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run, range(8)))
    assert most == [2]


def test_close_refuses_new_requests_and_waits_for_others() -> None:
    admission = Admission(running=1, waiting=1, memory_bytes=0)
    leave, inside = threading.Event(), threading.Event()

    def stay() -> None:
        with admission.request():
            inside.set()
            leave.wait(10)

    guest = threading.Thread(target=stay)
    guest.start()
    inside.wait(10)
    assert admission.close(0.05) is False
    with pytest.raises(RefusalError, match="stopping"), admission.request():
        pass
    leave.set()
    assert admission.close(10) is True
    guest.join()


def test_idle_cores_are_taken_and_given_back() -> None:
    admission = Admission(running=4, waiting=0, memory_bytes=0)
    with admission.slots(3) as first, admission.slots(3) as second:
        assert (first, second) == (3, 1)
    with admission.slots(9) as all_of_them:
        assert all_of_them == 4
    with admission.slots() as one:
        assert one == 1


@pytest.mark.parametrize(("here", "share"), [(1, 4), (2, 2), (3, 1), (9, 1)])
def test_cores_are_shared_with_who_is_here_though_not_scoring_yet(here: int, share: int) -> None:
    admission = Admission(running=4, waiting=5, memory_bytes=0)
    with ExitStack() as held:
        for _ in range(here):
            held.enter_context(admission.request())
        assert held.enter_context(admission.slots(9)) == share


def test_requests_never_exceed_the_memory_limit() -> None:
    admission = Admission(running=1, waiting=0, memory_bytes=10)
    with admission.request() as take, admission.request() as take_too:
        take(6)
        with pytest.raises(RefusalError) as raised:
            take_too(5)
        assert (raised.value.status, raised.value.code) == (503, "BUSY")
        take_too(4)
    with admission.request() as take:
        take(10)


def test_request_that_is_in_may_take_a_place_after_closing() -> None:
    admission = Admission(running=1, waiting=0, memory_bytes=10)
    with admission.request() as take:
        assert admission.close(0) is False
        take(10)
        with admission.place(), admission.slots():
            pass
    assert admission.close(0) is True
