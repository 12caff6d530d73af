"""docs/promises.md: all thirteen are there, and every test, file and guard that it names exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tools.mutations.table import GUARDS

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs" / "promises.md").read_text()
SECTIONS = dict(re.findall(r"^## (\d+)\. .+?\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
NAME = re.compile(r"`([^`]+)`")


@cache
def _tests_in(file: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef)}


def _names_after(word: str, section: str) -> list[str]:
    """What is named between `**word:**` and the end of its paragraph."""
    return NAME.findall(section.partition(f"**{word}:**")[2].partition("\n\n")[0])


def test_all_thirteen_are_there_in_their_order() -> None:
    assert list(SECTIONS) == [str(number) for number in range(1, 14)]


@pytest.mark.parametrize("number", SECTIONS)
def test_each_promise_names_tests_that_exist(number: str) -> None:
    named = _names_after("Tests", SECTIONS[number])
    tests = [name.split("::") for name in named if "::" in name]
    assert len(tests) >= 3
    gone = [f"{file}::{test}" for file, test in tests if test not in _tests_in(ROOT / file)]
    gone += [name for name in named if "::" not in name and not (ROOT / name).exists()]
    assert gone == []


def test_every_guard_of_the_table_belongs_to_one_promise() -> None:
    named = [name for section in SECTIONS.values() for name in _names_after("Guards", section)]
    assert sorted(named) == sorted(guard.name for guard in GUARDS)


@pytest.mark.parametrize("number", SECTIONS)
def test_each_promise_has_guards(number: str) -> None:
    assert len(_names_after("Guards", SECTIONS[number])) >= 2


def test_every_module_that_is_named_exists() -> None:
    modules = {name for name in NAME.findall(TEXT) if re.fullmatch(r"(?:\w+/)?\w+\.py", name)}
    assert [name for name in modules if not (ROOT / "dropscore" / name).exists()] == []
