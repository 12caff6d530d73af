"""Run the checks one after the other, and collect their findings."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from model_tools.conformance.checks import EVERY
from model_tools.conformance.checks.serving import invocations
from model_tools.conformance.findings import Check, Finding
from model_tools.conformance.outcomes import FailedError, Outcome, SkippedError
from model_tools.conformance.subject import Subject


def examine(
    subject: Subject, checks: Sequence[Check] = EVERY, starting: Callable[[Check], None] = lambda _: None
) -> list[Finding]:
    """Return one finding per check. `starting` is called before each check."""
    return list(_findings(subject, checks, starting))


def _findings(subject: Subject, checks: Sequence[Check], starting: Callable[[Check], None]) -> Iterator[Finding]:
    scores = True
    for check in checks:
        starting(check)
        if check.needs_scores and not scores:
            yield _finding(check, Outcome.SKIP, "the server does not score the sample", "", 0)
            continue
        finding = _run(check, subject)
        scores = scores and not (check is invocations and finding.outcome is Outcome.FAIL)
        yield finding


def _run(check: Check, subject: Subject) -> Finding:
    began = time.monotonic()
    try:
        passed = check.run(subject)
    except FailedError as failed:
        return _finding(check, Outcome.FAIL, failed.what, failed.do, began)
    except SkippedError as skipped:
        return _finding(check, Outcome.SKIP, str(skipped), "", began)
    return _finding(check, Outcome.PASS, passed.what, passed.do, began)


def _finding(check: Check, outcome: Outcome, what: str, do: str, began: float) -> Finding:
    seconds = round(time.monotonic() - began, 3) if began else 0.0
    return Finding(check=check.name, demands=check.demands, outcome=outcome, what=what, do=do, seconds=seconds)
