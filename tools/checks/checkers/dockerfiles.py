"""hadolint over every Dockerfile."""

from __future__ import annotations

import json

from tools.checks.findings import Finding
from tools.checks.programs import linter, run
from tools.checks.subject import Subject


def check(subject: Subject) -> list[Finding]:
    if not subject.dockerfiles:
        return []
    command = [linter("hadolint"), "--no-color", "--format", "json", *map(str, subject.dockerfiles)]
    found = json.loads(run(command, cwd=subject.root))
    return [
        Finding("hadolint", entry["code"], entry["file"], f"line {entry['line']}: {entry['message']}")
        for entry in found
    ]
