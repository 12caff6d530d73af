"""docs/decisions: the records are numbered and indexed, and every reference to a record leads to one."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "docs" / "decisions"
RECORDS = sorted(FOLDER.glob("[0-9]*.md"))
STATUSES = {"accepted", "superseded", "deprecated"}
SECTIONS = ["Status", "Context", "Decision", "Consequences"]

INDEX_ROW = re.compile(r"^\| \[(\d{4})\]\((\S+)\) \| (.+?) \| (\w+) \| (.+) \|$", re.MULTILINE)
# "decision 0001", "decisions 0001 and …", "decision [0001](…)"; and any path or link, with or without a file name.
REFERENCE = re.compile(r"\bdecisions?\s\[?(\d{4})\b", re.IGNORECASE)
LINK = re.compile(r"\bdecisions/(\d{4}[\w.-]*)")
LINK_BETWEEN_RECORDS = re.compile(r"\]\((\d{4}-[^)#]+)")
LABELED_LINK = re.compile(r"\[(?:decision )?(\d{4})\]\((?:[\w./-]*/)?(\d{4})-", re.IGNORECASE)


def test_numbers_are_consecutive() -> None:
    assert [record.name[:4] for record in RECORDS] == [f"{number:04}" for number in range(1, len(RECORDS) + 1)]


def test_index_lists_every_record_with_its_title() -> None:
    rows = [row[:4] for row in INDEX_ROW.findall((FOLDER / "README.md").read_text())]
    assert rows == [(record.name[:4], record.name, _title(record), _status(record)) for record in RECORDS]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_record_has_its_sections(record: Path) -> None:
    text = record.read_text()
    assert text.startswith(f"# {record.name[:4]}. ")
    assert _status(record) in STATUSES
    found = re.findall(r"^\*\*(\w+)[.:]\*\*", text, re.MULTILINE)
    assert [section for section in found if section in SECTIONS] == SECTIONS


@pytest.mark.parametrize("page", [*RECORDS, FOLDER / "README.md"], ids=lambda page: page.stem)
def test_every_link_of_a_record_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_reference_leads_to_a_record() -> None:
    assert [missing for file, text in _texts() for missing in _missing(file, text)] == []


@pytest.mark.parametrize(
    "text",
    [
        "(decision 9998)",
        "Decision\n9998",
        "decision [9998](x)",
        "decisions/9998",
        "decisions/9998-gone.md",
        "decisions/0001-x",
    ],
)
def test_missing_record_is_reported(text: str) -> None:
    assert _missing("docs/some.md", text) != []


def test_label_of_another_number_is_reported() -> None:
    assert _missing("docs/some.md", f"[9998](decisions/{RECORDS[0].name})") != []


def _title(record: Path) -> str:
    return record.read_text().splitlines()[0].removeprefix(f"# {record.name[:4]}. ")


def _status(record: Path) -> str:
    found = re.search(r"^\*\*Status:\*\* (\w+)", record.read_text(), re.MULTILINE)
    return found[1] if found else ""


def _missing(file: str, text: str) -> list[str]:
    """References in `text` that lead to no record, each with its file."""
    names = {record.name for record in RECORDS}
    numbers = {name[:4] for name in names}
    # A comment or a sentence may refer to a record by number alone, or to its file with or without ".md".
    targets = numbers | names | {name.removesuffix(".md") for name in names}
    wrong = [number for number in REFERENCE.findall(text) if number not in numbers]
    wrong += [link for link in LINK.findall(text) if link.rstrip(".-") not in targets]
    wrong += [f"{label} → {number}" for label, number in LABELED_LINK.findall(text) if label != number]
    if file.startswith("docs/decisions/"):
        wrong += [link for link in LINK_BETWEEN_RECORDS.findall(text) if link not in names]
    return [f"{file}: {each}" for each in wrong]


@cache
def _texts() -> list[tuple[str, str]]:
    """Each tracked text file and its content, without this one, which refers to records that do not exist."""
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("this copy of the project is not a git repository")
    files = [ROOT / name for name in tracked.stdout.split("\0") if name]
    texts = []
    for file in files:
        if file == Path(__file__).resolve() or not file.is_file():
            continue
        try:
            texts.append((file.relative_to(ROOT).as_posix(), file.read_text()))
        except UnicodeDecodeError:
            continue  # not a text file
    return texts
