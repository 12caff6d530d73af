"""AWS Batch's documented retry strategy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

TIMED_OUT = "Job attempt duration exceeded timeout"


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended. `exit_code` is None when the container never ran."""

    exit_code: int | None
    reason: str = ""
    status_reason: str = ""


@dataclass(frozen=True)
class Rule:
    """One entry of evaluateOnExit; an absent condition matches everything."""

    action: str
    exit_code: str | None = None
    reason: str | None = None
    status_reason: str | None = None

    def matches(self, outcome: Outcome) -> bool:
        code = "" if outcome.exit_code is None else str(outcome.exit_code)
        pairs = ((self.exit_code, code), (self.reason, outcome.reason), (self.status_reason, outcome.status_reason))
        return all(pattern is None or _glob(pattern, text) for pattern, text in pairs)


@dataclass(frozen=True)
class RetryStrategy:
    attempts: int = 1
    rules: Sequence[Rule] = ()

    def retries(self, outcome: Outcome, attempts_made: int) -> bool:
        """Whether to retry after an attempt. The first matching rule decides; without a match, Batch retries.

        There are at most `attempts` attempts, and Batch never retries a job that exceeded its timeout.
        """
        if attempts_made >= self.attempts or outcome.status_reason == TIMED_OUT:
            return False
        for rule in self.rules:
            if rule.matches(outcome):
                return rule.action.upper() == "RETRY"
        return True


def _glob(pattern: str, text: str) -> bool:
    """Batch's patterns: plain text, optionally with one `*` at the end."""
    prefix = re.escape(pattern.removesuffix("*"))
    return re.fullmatch(prefix + (".*" if pattern.endswith("*") else ""), text, re.DOTALL) is not None
