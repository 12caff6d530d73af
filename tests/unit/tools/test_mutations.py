"""The table of guards is right, and taking one out is noticed. All of them are taken out by `make faults`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.mutations.__main__ import main
from tools.mutations.guard import Guard, problems
from tools.mutations.table import GUARDS
from tools.mutations.tree import ROOT, Outcome, Tree

PLAN = "dropscore/plan.py"
TEST = "tests/unit/dropscore/test_plan.py::test_a_small_or_packed_file_is_one_shard"


def _guard(text: str, without: str, test: str = TEST) -> Guard:
    return Guard("a-guard", PLAN, text, without, test)


def test_every_guard_stands_once_in_its_file_and_leaves_python_behind() -> None:
    assert list(problems(GUARDS, ROOT)) == []
    assert len(GUARDS) > 100


def test_every_test_of_the_table_is_there(tmp_path: Path) -> None:
    collected = Tree(tmp_path).pytest("--collect-only", *{guard.test for guard in GUARDS})
    assert collected.code == 0, collected.said


@pytest.mark.parametrize(
    ("guard", "said"),
    [
        (_guard("nothing of that kind", ""), "its text is there 0 times"),
        (_guard("shard_bytes", ""), "times, not once"),
        (_guard("if is_packed or size_bytes", "if or"), "what is left is no Python"),
    ],
)
def test_a_table_that_has_rotted_is_told(guard: Guard, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], [guard]) == 1
    assert said in capsys.readouterr().err


def test_two_guards_of_one_name_are_told() -> None:
    guard = _guard("if is_packed or ", "if ")
    assert [name for name, _ in problems([guard, guard], ROOT)] == ["a-guard"]


def test_an_unknown_name_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no-such-guard"]) == 2
    assert "no guard is named no-such-guard" in capsys.readouterr().err


def test_guards_that_are_taken_out_are_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    names = ["claimed-once", "if-none-match-on-put", "as-many-scores-as-rows"]
    assert main(names) == 0
    table = capsys.readouterr().out
    assert all(f"\n{name} | dropscore/" in table for name in names)
    assert table.count(" | fails: ") == 3
    assert "3 guards taken out, one at a time; 0 of them unnoticed" in table


@pytest.mark.parametrize("without", ["if True and is_packed or ", "if is_wrapped or "], ids=["the same", "a crash"])
def test_a_mutant_that_no_test_notices_is_an_error(without: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], [_guard("if is_packed or ", without)]) == 1
    assert "| NOT NOTICED: " in capsys.readouterr().out


def test_a_test_that_fails_without_any_mutant_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], [_guard("if is_packed or ", "if ", TEST + "_gone")]) == 1
    assert "with every guard in its place a test does not pass" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "said", "is_red"),
    [
        (1, "AssertionError: assert 1 == 2", True),
        (1, "NameError: name 'x' is not defined", False),
        (1, "ERROR tests/a.py::test_a - AssertionError", False),
        (2, "AssertionError", False),
        (0, "1 passed", False),
        (-1, "no end within 180 seconds", False),
    ],
)
def test_what_is_a_failure(code: int, said: str, *, is_red: bool) -> None:
    assert Outcome(code, said).is_red is is_red


def test_the_copy_is_what_is_tested(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    with tree.without(_guard("if is_packed or ", "if ")):
        assert "if is_packed or " not in (tmp_path / PLAN).read_text()
        assert tree.pytest(TEST).is_red
    assert (tmp_path / PLAN).read_text() == (ROOT / PLAN).read_text()
