"""A check, and what it found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from model_tools.conformance.outcomes import Outcome, Passed
from model_tools.conformance.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """`needs_scores`: skipped if the server does not score the sample."""

    name: str
    demands: str
    run: Callable[[Subject], Passed]
    needs_scores: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    check: str
    demands: str
    outcome: Outcome
    what: str
    do: str
    seconds: float


def check(name: str, demands: str, *, needs_scores: bool = True) -> Callable[[Callable[[Subject], Passed]], Check]:
    """Make a Check of a function that returns Passed, or raises FailedError or SkippedError."""
    return lambda run: Check(name=name, demands=demands, run=run, needs_scores=needs_scores)
