from __future__ import annotations

import pytest

from local.shim.batch.retry import TIMED_OUT, Outcome, RetryStrategy, Rule

SPOT = Rule("RETRY", status_reason="Your Spot Task was interrupted*")
TRANSIENT = Rule("retry", exit_code="75")
OTHERWISE = Rule("EXIT", reason="*")


@pytest.mark.parametrize(
    ("outcome", "retried"),
    [
        (Outcome(75), True),
        (Outcome(10), False),
        (Outcome(None, status_reason="Your Spot Task was interrupted."), True),
        (Outcome(1, "Your Spot Task was interrupted."), False),
        (Outcome(175), False),
        (Outcome(750), False),
    ],
)
def test_first_matching_rule_decides(outcome: Outcome, retried: bool) -> None:
    assert RetryStrategy(3, [SPOT, TRANSIENT, OTHERWISE]).retries(outcome, 1) is retried


def test_retried_when_no_rule_matches() -> None:
    assert RetryStrategy(3, [Rule("EXIT", exit_code="10")]).retries(Outcome(1), 1)


def test_not_retried_when_the_attempts_are_used_up() -> None:
    strategy = RetryStrategy(3, [TRANSIENT])
    assert [strategy.retries(Outcome(75), made) for made in (1, 2, 3)] == [True, True, False]


def test_a_job_that_timed_out_is_not_retried() -> None:
    assert not RetryStrategy(3, [Rule("EXIT", exit_code="10")]).retries(Outcome(75, status_reason=TIMED_OUT), 1)


def test_every_condition_of_a_rule_must_match() -> None:
    rule = Rule("EXIT", exit_code="1*", reason="Task*")
    assert rule.matches(Outcome(137, "Task failed"))
    assert not rule.matches(Outcome(137, "Other"))
    assert not rule.matches(Outcome(2, "Task failed"))


def test_a_star_matches_only_at_the_end() -> None:
    assert not Rule("EXIT", reason="a*b").matches(Outcome(1, "axb"))
    assert Rule("EXIT", reason="a.*").matches(Outcome(1, "a.b"))
    assert not Rule("EXIT", reason="a.*").matches(Outcome(1, "axb"))
