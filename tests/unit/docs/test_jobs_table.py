"""docs/jobs-table.md names every attribute and every code, and nothing else."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from dropscore.jobs.job import Job, State

ROOT = Path(__file__).resolve().parents[3]
REFUSALS = ROOT / "containers/model/serving/refusal.py"
TEXT = (ROOT / "docs" / "jobs-table.md").read_text()
ATTRIBUTES, CODES = TEXT.split("## Status")[0], TEXT.split("## Codes")[1].split("## Asking")[0]


# Refusals of what the worker never sends: it sends plain CSV, no header and no attributes.
OF_OTHER_CLIENTS = {
    *("BAD_ATTRIBUTES", "BAD_CONTENT_LENGTH", "BAD_HEADER", "BAD_JSON", "BAD_REQUEST", "BAD_TABLE"),
    *("NOT_A_ROW", "WRONG_COLUMN_NAMES"),
}


def _first_cells(table: str) -> set[str]:
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return {name for cell in rows for name in re.findall(r"`([^`]+)`", cell)}


def test_every_attribute_is_documented() -> None:
    assert _first_cells(ATTRIBUTES) == {field.name for field in fields(Job)}


def test_every_code_is_documented() -> None:
    sources = [*(ROOT / "dropscore").rglob("*.py"), *(ROOT / "containers/model").rglob("*.py")]
    words = {word for file in sources for word in re.findall(r'"([A-Z]+(?:_[A-Z]+)*)"', file.read_text())}
    documented = _first_cells(CODES)
    raised = {
        code
        for file in (ROOT / "dropscore").rglob("*.py")
        for code in re.findall(r'(?:Error\(\s*|, )"([A-Z]+_[A-Z_]+)",', file.read_text())
    }
    refused = {
        code
        for file in (ROOT / "containers/model").rglob("*.py")
        for code in re.findall(r'(?:RefusalError\(\s*400|[fF]ault\([^"\n]*), "([A-Z_]+)"', file.read_text())
    }
    assert documented <= words
    assert raised - documented == set()
    of_cells = set(re.findall(r'^    "([A-Z_]+)": "', REFUSALS.read_text(), re.MULTILINE))
    assert len(of_cells) == 3
    assert (refused | of_cells) - documented == OF_OTHER_CLIENTS


def test_every_status_is_drawn() -> None:
    assert all(state in TEXT for state in State)
