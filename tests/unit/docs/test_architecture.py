"""docs/architecture.md names every package, and every path that it shows exists; docs/README.md lists every page."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs" / "architecture.md").read_text()
INDEX = (ROOT / "docs" / "README.md").read_text()


def _packages(folder: str) -> list[str]:
    return sorted(file.parent.name for file in (ROOT / folder).glob("*/__init__.py"))


def _section(title: str) -> str:
    return TEXT.partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_every_package_of_the_stacks_is_named() -> None:
    assert [name for name in _packages("stacks") if f"| `{name}/` |" not in _section("In `stacks/`")] == []


def test_every_package_of_the_runtime_is_named() -> None:
    assert [name for name in _packages("dropscore") if f"| `{name}` |" not in _section("In `dropscore/`")] == []


def test_every_answer_to_where_is_a_path() -> None:
    rows = [line for line in _section("Where is X?").splitlines() if line.startswith("| ") and "`" in line]
    paths = [path for row in rows for path in re.findall(r"`([^`]+)`", row.split(" | ")[1])]
    assert len(rows) >= 10
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_page_is_in_the_index() -> None:
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert set(re.findall(r"^\* \[([a-z-]+\.md)\]", INDEX, re.MULTILINE)) == pages
