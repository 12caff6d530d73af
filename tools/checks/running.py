"""Runs checkers, two at a time: those of the repository's files during the synth, those of templates after it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from tools.checks.checkers import checkov, code, dockerfiles, guard, lint, nag, permissions, policies, secrets
from tools.checks.findings import Finding
from tools.checks.matrix import Combination
from tools.checks.subject import Subject, distinct, is_dockerfile, is_shipped_code, may_hold_secrets, tracked
from tools.checks.synthesis import synthesize

Checker = Callable[[Subject], list[Finding]]

# Longest first, which makes the whole run shortest.
TEMPLATE_CHECKERS: Mapping[str, Checker] = {
    "lint": lint.check,
    "checkov": checkov.check,
    "policies": policies.check,
    "guard": guard.check,
    "permissions": permissions.check,
    "nag": nag.check,
}
FILE_CHECKERS: Mapping[str, Checker] = {"secrets": secrets.check, "bandit": code.check, "hadolint": dockerfiles.check}
CHECKERS = {**TEMPLATE_CHECKERS, **FILE_CHECKERS}
PARALLEL = 2


@dataclass(frozen=True)
class Outcome:
    what: str
    seconds: float
    findings: Sequence[Finding] = ()


def run_checkers(names: Sequence[str], combinations: Sequence[Combination]) -> list[Outcome]:
    with tempfile.TemporaryDirectory() as made, ThreadPoolExecutor(PARALLEL) as pool:
        subject = tree()
        template_checkers = [name for name in TEMPLATE_CHECKERS if name in names]
        synth = pool.submit(_synth, subject, combinations, Path(made)) if template_checkers else None
        running = [pool.submit(_timed, name, subject) for name in FILE_CHECKERS if name in names]
        outcomes = []
        if synth:
            subject, outcome = synth.result()
            outcomes.append(outcome)
            running += [pool.submit(_timed, name, subject) for name in template_checkers]
        return outcomes + _results(running)


def tree() -> Subject:
    """This repository's files, without templates."""
    files = tracked()
    return Subject(
        dockerfiles=[file for file in files if is_dockerfile(file)],
        code=[file for file in files if is_shipped_code(file)],
        files=[file for file in files if may_hold_secrets(file)],
    )


def with_templates(subject: Subject, combinations: Sequence[Combination], folder: Path) -> Subject:
    assemblies = synthesize(combinations, folder / "assemblies")
    templates = distinct(assemblies, folder / "templates")
    return replace(subject, assemblies=assemblies, folder=folder / "templates", templates=templates)


def _synth(subject: Subject, combinations: Sequence[Combination], folder: Path) -> tuple[Subject, Outcome]:
    began = time.monotonic()
    whole = with_templates(subject, combinations, folder)
    what = f"synth of {len(whole.assemblies)} combinations, {len(whole.templates)} distinct templates"
    return whole, Outcome(what, time.monotonic() - began)


def _timed(name: str, subject: Subject) -> Outcome:
    began = time.monotonic()
    findings = CHECKERS[name](subject)
    return Outcome(name, time.monotonic() - began, findings)


def _results(running: Sequence[Future[Outcome]]) -> list[Outcome]:
    return [future.result() for future in running]
