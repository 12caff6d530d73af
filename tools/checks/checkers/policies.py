"""parliament over every policy with concrete ARNs: unknown actions, and actions that do not match their resources."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.checks.documents import Document, documents
from tools.checks.findings import Finding
from tools.checks.programs import linter, run
from tools.checks.subject import Subject


def check(subject: Subject) -> list[Finding]:
    policies = documents(subject.assemblies)
    with tempfile.TemporaryDirectory() as made:
        for number, document in enumerate(policies):
            policy = {"Version": "2012-10-17", "Statement": [_as_text(statement) for statement in document.statements]}
            Path(made, f"{number}.json").write_text(json.dumps(policy))
        command = [linter("parliament"), "--directory", made, "--json", "--include-community-auditors"]
        lines = run(command).splitlines()
    return [finding for line in lines for finding in _findings(json.loads(line), policies)]


def _as_text(value: Any) -> Any:
    """Convert numbers and booleans to strings: IAM accepts both, parliament only strings."""
    match value:
        case dict():
            return {key: _as_text(item) for key, item in value.items()}
        case list():
            return [_as_text(item) for item in value]
        case bool():
            return json.dumps(value)
    return str(value)


def _findings(report: dict[str, Any], policies: list[Document]) -> Iterator[Finding]:
    """One finding per action, so that each one is accepted separately."""
    document = policies[int(Path(report["location"]["filepath"]).stem)]
    for subject, message in _subjects(report):
        rule = f"{report['issue']} {subject}".strip()
        yield Finding("policies", rule, document.place, f"{report['title']}: {message}", document.origin)


def _subjects(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Actions, each with a message."""
    detail = report["detail"]
    if report["issue"] == "RESOURCE_MISMATCH":
        return [(entry["action"], f"needs {entry['required_format']}") for entry in detail]
    actions = report["location"].get("actions") or (detail if report["issue"] == "RESOURCE_STAR" else [])
    return [(action, "") for action in actions] or [("", json.dumps(detail))]
