"""The checkers' findings, and the findings accepted with a reason."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

ACCEPTED = Path(__file__).with_name("accepted.toml")
SHORTEST_REASON = 40


class CheckError(Exception):
    """A checker failed to run."""


@dataclass(frozen=True, order=True)
class Finding:
    checker: str
    rule: str
    place: str
    """`Stack/Resource`, or a file of the repository."""
    message: str = field(compare=False)
    origin: str = field(default="", compare=False)
    """The first combination of settings with this finding."""


@dataclass(frozen=True)
class Acceptance:
    checker: str
    rule: str
    place: str
    reason: str

    def covers(self, finding: Finding) -> bool:
        """Whether checker, rule and place match; rule and place may contain `*`."""
        here = fnmatchcase(finding.rule, self.rule) and fnmatchcase(finding.place, self.place)
        return here and self.checker == finding.checker


def read_accepted(path: Path = ACCEPTED) -> list[Acceptance]:
    read = [Acceptance(**entry) for entry in tomllib.loads(path.read_text())["accepted"]]
    for entry in read:
        if len(entry.reason) < SHORTEST_REASON:
            raise CheckError(
                f"{path.name}: {entry.rule} at {entry.place}: the reason is too short; say why it is acceptable"
            )
    return read


def unexplained(findings: Iterable[Finding], accepted: Sequence[Acceptance]) -> list[Finding]:
    """The distinct findings that no acceptance covers."""
    return sorted({finding for finding in findings if not any(entry.covers(finding) for entry in accepted)})


def unneeded(findings: Sequence[Finding], accepted: Iterable[Acceptance], checkers: Iterable[str]) -> list[Acceptance]:
    """Acceptances for `checkers` that cover no finding any more; remove them."""
    ran = set(checkers)
    return [entry for entry in accepted if entry.checker in ran and not any(map(entry.covers, findings))]
