"""The result of a check: passed, failed or skipped; why, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model_tools.conformance.subject import Subject


class Outcome(StrEnum):
    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Passed:
    what: str
    do: str = ""
    """Optional advice."""


class FailedError(Exception):
    """The check's demand is not met; `do` says how to fix it."""

    def __init__(self, what: str, do: str) -> None:
        super().__init__(what)
        self.what, self.do = what, do


class SkippedError(Exception):
    """The check cannot run here; the message says why."""


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
