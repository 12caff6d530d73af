from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.checks.findings import Acceptance, CheckError, Finding, read_accepted, unexplained, unneeded
from tools.checks.running import CHECKERS

REASON = "A reason that is long enough for someone to judge."
FOUND = Finding("checkov", "CKV_AWS_18", "Storage/Bucket1", "logs", "defaults")


def accepted(checker: str = "checkov", rule: str = "CKV_AWS_18", place: str = "Storage/Bucket*") -> Acceptance:
    return Acceptance(checker, rule, place, REASON)


@pytest.mark.parametrize(
    "other",
    [
        accepted(checker="guard"),
        accepted(rule="CKV_AWS_1"),
        accepted(place="Hosting/*"),
        accepted(place="Storage/Buck"),
    ],
)
def test_an_acceptance_covers_its_own_checker_rule_and_place(other: Acceptance) -> None:
    assert accepted().covers(FOUND)
    assert not other.covers(FOUND)
    assert unexplained([FOUND], [other]) == [FOUND]
    assert unexplained([FOUND], [accepted()]) == []


def test_what_many_combinations_show_is_said_once() -> None:
    again = Finding("checkov", "CKV_AWS_18", "Storage/Bucket1", "logs", "nat")
    assert len(unexplained([FOUND, again], [])) == 1


def test_an_acceptance_that_covers_nothing_is_too_many() -> None:
    spare = accepted(rule="CKV_AWS_999")
    assert unneeded([FOUND], [accepted(), spare], ["checkov"]) == [spare]


def test_acceptances_of_checkers_that_did_not_run_are_left_alone() -> None:
    assert unneeded([], [accepted()], ["guard"]) == []


def test_a_reason_is_demanded(tmp_path: Path) -> None:
    path = tmp_path / "accepted.toml"
    path.write_text('[[accepted]]\nchecker = "guard"\nrule = "r"\nplace = "p"\nreason = "fine"\n')
    with pytest.raises(CheckError, match=re.escape("accepted.toml: r at p: the reason is too short")):
        read_accepted(path)


def test_the_accepted_findings_are_of_checkers_that_there_are() -> None:
    entries = read_accepted()
    assert {entry.checker for entry in entries} <= CHECKERS.keys()
    assert len({(entry.checker, entry.rule, entry.place) for entry in entries}) == len(entries)
    assert not [entry for entry in entries if entry.rule == "*"], "accept a rule by its name"
