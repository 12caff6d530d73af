"""cdk-nag over the sample without the acceptances finds exactly the accepted findings."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
from aws_cdk import Validations

from tools.checks import synthesis
from tools.checks.checkers import nag
from tools.checks.matrix import label, sample, settings_text
from tools.checks.subject import Assembly, Subject

Accepted = set[tuple[str, str]]  # rule, path of the construct
ANNOTATION = "Annotation::"
"""Warnings of our own constructs; tools/checks/accepted.toml accepts them."""


class Noted:
    """Replaces `Validations`: records each acceptance and does not apply it."""

    accepted: ClassVar[Accepted] = set()
    reasons: ClassVar[set[str]] = set()

    def __init__(self, scope: Any) -> None:
        self._scope = scope

    @classmethod
    def of(cls, scope: Any) -> Noted:
        return cls(scope)

    def add_plugins(self, *plugins: Any) -> None:
        Validations.of(self._scope).add_plugins(*plugins)

    def acknowledge(self, acknowledgment: Any) -> None:
        self.accepted.add((acknowledgment.id, self._scope.node.path))
        self.reasons.add(acknowledgment.reason)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Accepted:
    """The findings of all combinations without any acceptance."""
    folder = tmp_path_factory.mktemp("nag")
    assemblies = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stacks.constructs.findings.Validations", Noted)
        for combination in sample():
            home = folder / label(combination)
            home.mkdir()
            (home / synthesis.SETTINGS).write_text(settings_text(combination))
            synthesis.synthesize_one(home)
            assemblies.append(Assembly(home.name, home / synthesis.OUTDIR))
    findings = nag.check(Subject(assemblies=assemblies))
    return {(each.rule, each.place) for each in findings if not each.rule.startswith(ANNOTATION)}


def test_nothing_is_found_that_was_not_accepted(found: Accepted) -> None:
    unexplained = {
        (rule, place) for rule, place in found if not any(_covers(each, rule, place) for each in Noted.accepted)
    }
    assert unexplained == set()


def test_nothing_is_accepted_that_is_not_found(found: Accepted) -> None:
    spare = {each for each in Noted.accepted if not any(_covers(each, rule, place) for rule, place in found)}
    assert spare == set()


def test_every_acceptance_gives_a_reason(found: Accepted) -> None:
    assert found
    assert not [reason for reason in Noted.reasons if len(reason) < 60]


def test_acceptances_everywhere_are_the_few_that_follow_from_the_design(found: Accepted) -> None:
    assert found
    everywhere = {rule for rule, path in Noted.accepted if path == ""}
    assert len(everywhere) <= 6
    assert not [rule for rule in everywhere if rule.startswith("AwsSolutions")]


def _covers(accepted: tuple[str, str], rule: str, place: str) -> bool:
    accepted_rule, path = accepted
    inside = not path or place == path or place.startswith(f"{path}/")
    return accepted_rule == rule and inside


def test_the_project_has_no_findings_left_as_it_is(tmp_path: Path) -> None:
    """Applies the acceptances as in a deployment."""
    assemblies = synthesis.synthesize(sample()[:1], tmp_path)
    assert nag.check(Subject(assemblies=assemblies)) == []
