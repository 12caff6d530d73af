"""The table of guards is right, and a guard that is removed is noticed. `make test-faults` removes them all."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tools.mutations.__main__ import main, part
from tools.mutations.guard import Guard, problems
from tools.mutations.table import GUARDS
from tools.mutations.tree import ROOT, Outcome, Tree, Verdict

DAY_SECONDS = 86_400
PARTS = 12
"""Each day's runs remove another twelfth of the guards; `make test-faults` removes them all."""

PLAN = "dropscore/jobs/plan.py"
TEST = "tests/unit/dropscore/jobs/test_plan.py::test_a_small_or_packed_file_is_one_shard"


def _guard(text: str, without: str, test: str = TEST) -> Guard:
    return Guard("a-guard", PLAN, text, without, test)


def test_every_guard_stands_once_in_its_file_and_leaves_python_behind() -> None:
    assert list(problems(GUARDS, ROOT)) == []
    assert len(GUARDS) > 100


def test_every_test_of_the_table_is_there(tmp_path: Path) -> None:
    collected = Tree(tmp_path).pytest("--collect-only", *{guard.test for guard in GUARDS})
    assert collected.code == 0, collected.output


@pytest.mark.parametrize(
    ("guard", "said"),
    [
        (_guard("nothing of that kind", ""), "its text occurs 0 times"),
        (_guard("shard_bytes", ""), "times instead of once"),
        (_guard("if is_one_shard or size_bytes", "if or"), "the result is not valid Python"),
    ],
)
def test_a_table_that_has_rotted_is_told(guard: Guard, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], [guard]) == 1
    assert said in capsys.readouterr().err


def test_two_guards_of_one_name_are_told() -> None:
    guard = _guard("if is_one_shard or ", "if ")
    assert [name for name, _ in problems([guard, guard], ROOT)] == ["a-guard"]


def test_an_unknown_name_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no-such-guard"]) == 2
    assert "no guard is named no-such-guard" in capsys.readouterr().err


def test_every_guard_is_in_one_part() -> None:
    parts = [part(GUARDS, number, PARTS) for number in range(PARTS)]
    assert sorted(name for names in parts for name in names) == sorted(guard.name for guard in GUARDS)


def test_guards_of_the_day_are_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    names = part(GUARDS, int(time.time() // DAY_SECONDS), PARTS)
    assert main(names) == 0, capsys.readouterr().out
    table = capsys.readouterr().out
    assert all(f"\n{name} | " in table for name in names)
    assert f"{len(names)} guards removed, one at a time; 0 not noticed, 0 broken" in table


@pytest.mark.parametrize(
    ("without", "verdict"),
    [("if True and is_one_shard or ", Verdict.NOT_NOTICED), ("if is_wrapped or ", Verdict.BROKEN)],
    ids=["the same", "a crash"],
)
def test_a_mutant_that_no_test_notices_is_an_error(
    without: str, verdict: Verdict, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([], [_guard("if is_one_shard or ", without)]) == 1
    assert f"| {verdict}: " in capsys.readouterr().out


def test_a_test_that_fails_without_any_mutant_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], [_guard("if is_one_shard or ", "if ", TEST + "_gone")]) == 1
    assert "with every guard in place a test does not pass" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "said", "verdict"),
    [
        (1, "AssertionError: assert 1 == 2", Verdict.FAILS),
        (0, "1 passed", Verdict.NOT_NOTICED),
        (1, "NameError: name 'x' is not defined", Verdict.BROKEN),
        (1, "ERROR tests/a.py::test_a - AssertionError", Verdict.BROKEN),
        (2, "AssertionError", Verdict.BROKEN),
        (-1, "no end within 180 seconds", Verdict.BROKEN),
    ],
)
def test_verdict_of_an_outcome(code: int, said: str, verdict: Verdict) -> None:
    assert Outcome(code, said).verdict is verdict


def test_the_copy_holds_every_file_but_what_git_ignores(tmp_path: Path) -> None:
    Tree(tmp_path)
    copied = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert {"tests/emf.py", "stacks/storage/stack.py", "cdk.json", "docs/promises.md"} < copied
    assert not {path.split("/")[0] for path in copied} & {".git", ".venv", "node_modules", "build", ".dropscore"}


def test_a_file_that_the_copy_lacks_is_not_found_elsewhere(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    (tmp_path / "tests" / "emf.py").unlink()
    outcome = tree.pytest("tests/unit/dropscore/test_metrics.py")
    assert (outcome.code, outcome.verdict) == (2, Verdict.BROKEN)


def test_the_copy_is_what_is_tested(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    with tree.without(_guard("if is_one_shard or ", "if ")):
        assert "if is_one_shard or " not in (tmp_path / PLAN).read_text()
        assert tree.pytest(TEST).verdict is Verdict.FAILS
    assert (tmp_path / PLAN).read_text() == (ROOT / PLAN).read_text()
