"""docs/checks.md says why some permissions are missed by nobody in the embedded cloud."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.privilege import table

ROOT = Path(__file__).resolve().parents[3]


def test_every_reason_is_written_down_and_no_other() -> None:
    reasons = {value for name, value in vars(table).items() if name.startswith("NO_")}
    listed = (ROOT / "docs" / "checks.md").read_text().partition("Why, in the table's words:")[2]
    assert {line.removeprefix("* ") for line in listed.strip().splitlines()} == reasons


def test_every_file_of_the_stacks_has_its_place_in_the_picture() -> None:
    said = (ROOT / "docs" / "architecture.md").read_text().partition("## In `stacks/`")[2].partition("\n## ")[0]
    files = [file.name for file in (ROOT / "stacks").glob("*.py") if file.name != "__init__.py"]
    assert [name for name in files if f"`{name}`" not in said] == []
