"""bandit over every line of Python that is not a test."""

from __future__ import annotations

import json

from tools.checks.findings import Finding
from tools.checks.programs import linter, run
from tools.checks.subject import Subject


def check(subject: Subject) -> list[Finding]:
    command = [linter("bandit"), "--quiet", "--format", "json", *map(str, subject.code)]
    report = json.loads(run(command, cwd=subject.root))
    unread = [Finding("bandit", "unread", _place(each), each["reason"]) for each in report["errors"]]
    return unread + [
        Finding("bandit", each["test_id"], _place(each), f"line {each['line_number']}: {each['issue_text']}")
        for each in report["results"]
    ]


def _place(entry: dict[str, str]) -> str:
    return entry["filename"].removeprefix("./")
