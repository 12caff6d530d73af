"""How a check can end: passed, failed or skipped; why, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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
