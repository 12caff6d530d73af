from __future__ import annotations

import pytest

from dropscore.errors import BusyError, ModelChangedError, TransientError
from dropscore.scoring.pace import GRACE, Budget, Pace, Retry

BUSY = TransientError("THROTTLED", "busy")


def _busy() -> bytes:
    raise BUSY


def _grown(answers: int, most: int = 64) -> Pace:
    pace = Pace(most)
    for moment in range(answers):
        pace.answered(moment, moment + 0.1, 100)
    return pace


def test_pace_starts_low_and_grows_by_one_a_round() -> None:
    pace = Pace(64)
    assert pace.size == 2
    for _ in range(3):
        pace.answered(0, 0.1, 100)
    assert pace.size == 3


def test_pace_never_leaves_its_bounds() -> None:
    assert Pace(1).size == 1
    assert _grown(1000, most=5).size == 5
    pace = _grown(10)
    for moment in range(100, 200):
        pace.faulted(moment, moment + 0.5)
    assert pace.size == 1


def test_a_fault_halves_once_for_all_that_was_sent_before_it() -> None:
    pace = _grown(200)
    before = pace.size
    pace.faulted(300.0, 301.0)
    pace.faulted(300.5, 301.5)
    assert pace.size == pytest.approx(before / 2, abs=1)
    pace.faulted(302.0, 303.0)
    assert pace.size == pytest.approx(before / 4, abs=1)


def test_a_slow_answer_counts_as_a_fault_by_the_byte() -> None:
    pace = _grown(GRACE + 100)
    before = pace.size
    pace.answered(500.0, 500.2, 200)
    assert pace.size >= before
    pace.answered(501.0, 501.9, 200)
    assert pace.size < before


def test_a_budget_is_spent_by_tries_and_earned_back_by_answers() -> None:
    budget = Budget(capacity=20, cost=10)
    assert [budget.take() for _ in range(3)] == [True, True, False]
    for _ in range(10):
        budget.earn()
    assert budget.take()
    for _ in range(100):
        budget.earn()
    assert [budget.take() for _ in range(3)] == [True, True, False]


def test_a_call_is_tried_attempts_times_with_bounded_waits() -> None:
    waits: list[float] = []
    with pytest.raises(TransientError):
        Retry(attempts=5, base_seconds=4, cap_seconds=20, sleep=waits.append)(_busy, 1, Pace(4), Budget())
    assert len(waits) == 4
    assert all(0 <= wait <= 20 for wait in waits)


def test_a_call_is_not_tried_beyond_the_budget() -> None:
    waits: list[float] = []
    with pytest.raises(TransientError):
        Retry(attempts=50, sleep=waits.append)(_busy, 1, Pace(4), Budget(capacity=30, cost=10))
    assert len(waits) == 3


def test_faults_and_answers_reach_the_pace() -> None:
    pace, faults = _grown(100), [BUSY, BUSY]
    before = pace.size

    def call() -> bytes:
        if faults:
            raise faults.pop()
        return b"1"

    assert Retry(sleep=lambda _: None)(call, 1, pace, Budget()) == b"1"
    assert pace.size <= before / 2


def test_a_changed_model_is_not_asked_again() -> None:
    waits: list[float] = []

    def changed() -> bytes:
        raise ModelChangedError("MODEL_CHANGED", "changed")

    with pytest.raises(ModelChangedError):
        Retry(sleep=waits.append)(changed, 1, Pace(4), Budget())
    assert waits == []


def test_waits_double_up_to_the_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("random.uniform", lambda _least, most: most)
    with pytest.raises(TransientError):
        Retry(attempts=6, base_seconds=2, cap_seconds=20, sleep=waits.append)(_busy, 1, Pace(4), Budget())
    assert waits == [4, 8, 16, 20, 20]


def _calls(retry: Retry, error: TransientError) -> int:
    calls = 0

    def call() -> bytes:
        nonlocal calls
        calls += 1
        raise error

    with pytest.raises(TransientError):
        retry(call, 1, Pace(4), Budget(capacity=10, cost=5))
    return calls


def test_who_is_busy_is_asked_with_patience_and_without_a_budget() -> None:
    waits: list[float] = []
    retry = Retry(sleep=waits.append)
    assert _calls(retry, BusyError("THROTTLED", "busy")) == retry.busy_attempts
    assert max(waits) > retry.cap_seconds
    assert max(waits) <= retry.busy_cap_seconds
    assert 10 * 60 < sum(waits) < 40 * 60
    assert _calls(retry, TransientError("MODEL_FAILED", "500")) == 3  # what the budget has
