"""What checkers find, and what was looked at and accepted with a reason."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

ACCEPTED = Path(__file__).with_name("accepted.toml")
SHORTEST_REASON = 40


class CheckError(Exception):
    """A checker could not do its work."""


@dataclass(frozen=True, order=True)
class Finding:
    checker: str
    rule: str
    place: str
    """`Stack/Resource`, or a file of the tree."""
    message: str = field(compare=False)
    origin: str = field(default="", compare=False)
    """The combination of settings in which it was first seen."""


@dataclass(frozen=True)
class Acceptance:
    checker: str
    rule: str
    place: str
    reason: str

    def covers(self, finding: Finding) -> bool:
        """Whether it is of this checker, rule and place; the last two may hold `*`."""
        here = fnmatchcase(finding.rule, self.rule) and fnmatchcase(finding.place, self.place)
        return here and self.checker == finding.checker


def read_accepted(path: Path = ACCEPTED) -> list[Acceptance]:
    read = [Acceptance(**entry) for entry in tomllib.loads(path.read_text())["accepted"]]
    for entry in read:
        if len(entry.reason) < SHORTEST_REASON:
            raise CheckError(f"{path.name}: {entry.rule} at {entry.place}: give a reason that a reviewer can judge")
    return read


def unexplained(findings: Iterable[Finding], accepted: Sequence[Acceptance]) -> list[Finding]:
    """Those that no acceptance covers, each once."""
    return sorted({each for each in findings if not any(entry.covers(each) for entry in accepted)})


def unneeded(findings: Sequence[Finding], accepted: Iterable[Acceptance], checkers: Iterable[str]) -> list[Acceptance]:
    """Acceptances for `checkers` that cover nothing: what they excuse is mended, so they go."""
    ran = set(checkers)
    return [entry for entry in accepted if entry.checker in ran and not any(map(entry.covers, findings))]
