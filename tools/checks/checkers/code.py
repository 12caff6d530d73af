"""bandit over all Python code except tests."""

from __future__ import annotations

import json

from tools.checks.findings import Finding
from tools.checks.programs import linter, run
from tools.checks.subject import Subject


def check(subject: Subject) -> list[Finding]:
    command = [linter("bandit"), "--quiet", "--format", "json", *map(str, subject.code)]
    report = json.loads(run(command, cwd=subject.root))
    unread = [Finding("bandit", "unread", _place(entry), entry["reason"]) for entry in report["errors"]]
    return unread + [
        Finding("bandit", entry["test_id"], _place(entry), f"line {entry['line_number']}: {entry['issue_text']}")
        for entry in report["results"]
    ]


def _place(entry: dict[str, str]) -> str:
    return entry["filename"].removeprefix("./")
