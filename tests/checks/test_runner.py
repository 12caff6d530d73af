from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tools.checks import __main__ as command
from tools.checks import programs, running
from tools.checks.findings import Acceptance, CheckError, Finding
from tools.checks.matrix import Combination
from tools.checks.running import CHECKERS, Outcome
from tools.checks.subject import Assembly, Subject, distinct

FOUND = Finding("hadolint", "DL3007", "Dockerfile", "line 1: latest")


def with_outcome(
    monkeypatch: pytest.MonkeyPatch, *findings: Finding, accepted: Sequence[Acceptance] = ()
) -> list[object]:
    """The runner gets these findings; the returned list records its calls."""
    calls: list[object] = []

    def run(names: Sequence[str], combinations: Sequence[Combination]) -> list[Outcome]:
        calls.extend([list(names), len(combinations)])
        return [Outcome("hadolint", 0.1, findings)]

    monkeypatch.setattr(command, "run_checkers", run)
    monkeypatch.setattr(command, "read_accepted", lambda: accepted)
    return calls


def test_a_finding_fails_and_says_what_where(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_outcome(monkeypatch, FOUND)
    assert command.main(["hadolint"]) == 1
    assert "hadolint DL3007 at Dockerfile (tree): line 1: latest" in capsys.readouterr().out


def test_an_accepted_finding_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    with_outcome(monkeypatch, FOUND, accepted=[Acceptance("hadolint", "DL3007", "Dockerfile", "because")])
    assert command.main(["hadolint"]) == 0


def test_an_acceptance_too_many_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with_outcome(monkeypatch, accepted=[Acceptance("hadolint", "DL3007", "Dockerfile", "because")])
    assert command.main(["hadolint"]) == 1
    assert "DL3007 at Dockerfile matches no finding" in capsys.readouterr().out


def test_without_names_every_checker_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = with_outcome(monkeypatch)
    command.main([])
    assert calls[0] == list(CHECKERS)


def test_all_means_more_combinations(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = with_outcome(monkeypatch)
    command.main(["nag"])
    command.main(["--all", "nag"])
    assert calls[3] > calls[1]  # type: ignore[operator]


def test_an_unknown_checker_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["lint", "tfsec"])
    assert "unknown checker 'tfsec'; available: lint, checkov" in capsys.readouterr().err


def test_a_fault_of_a_checker_is_no_pass(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(subject: Subject) -> list[Finding]:
        raise CheckError("hadolint ended with code 70: out of order")

    monkeypatch.setattr(running, "CHECKERS", {**CHECKERS, "hadolint": fail})
    assert command.main(["hadolint"]) == 2
    assert "error: hadolint ended with code 70: out of order" in capsys.readouterr().err


@pytest.mark.parametrize(("script", "message"), [("echo broken >&2; exit 3", "code 3: broken"), ("exit 1", "code 1")])
def test_a_program_that_breaks_is_no_pass(script: str, message: str) -> None:
    with pytest.raises(CheckError, match=message):
        programs.run(["sh", "-c", script])


def test_a_program_that_finds_something_is_read() -> None:
    assert programs.run(["sh", "-c", "echo found; exit 1"]) == "found\n"


def test_equal_templates_are_checked_once(tmp_path: Path) -> None:
    assemblies = []
    for label, content in {"one": {"a": 1}, "same": {"a": 1}, "other": {"a": 2}}.items():
        (tmp_path / label).mkdir()
        (tmp_path / label / "Storage.template.json").write_text(json.dumps(content))
        assemblies.append(Assembly(label, tmp_path / label))
    found = distinct(assemblies, tmp_path / "distinct")
    assert [(each.stack, each.origin) for each in found] == [("Storage", "one"), ("Storage", "other")]
    assert sorted(path.parent.name for path in (tmp_path / "distinct").rglob("*.json")) == ["one", "other"]


def test_the_tree_holds_what_is_to_be_looked_at() -> None:
    subject = running.tree()
    names = {str(path) for path in subject.dockerfiles}
    assert {"containers/model/Dockerfile", "containers/worker/Dockerfile", "examples/linear/Dockerfile"} <= names
    assert Path("app.py") in subject.code
    assert not [path for path in subject.code if path.parts[0] == "tests"]
    assert Path("tests/conftest.py") in subject.files
    assert Path("uv.lock") not in subject.files
