"""docs/checks.md says why some permissions are missed by nobody in the embedded cloud."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.privilege import table

ROOT = Path(__file__).resolve().parents[3]


def test_every_reason_is_written_down_and_no_other() -> None:
    reasons = {value for name, value in vars(table).items() if name.startswith("NO_")}
    listed = (ROOT / "docs" / "checks.md").read_text().partition("Why, in the table's words:")[2]
    assert {line.removeprefix("* ") for line in listed.strip().splitlines()} == reasons
