"""parliament over every policy with concrete ARNs: unknown actions, actions and resources that do not go together."""

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
            policy = {"Version": "2012-10-17", "Statement": [_as_text(each) for each in document.statements]}
            Path(made, f"{number}.json").write_text(json.dumps(policy))
        command = [linter("parliament"), "--directory", made, "--json", "--include-community-auditors"]
        lines = run(command).splitlines()
    return [finding for line in lines for finding in _findings(json.loads(line), policies)]


def _as_text(value: Any) -> Any:
    """IAM takes `1.2` and `true` for the texts that they look like; parliament takes only the texts."""
    match value:
        case dict():
            return {key: _as_text(each) for key, each in value.items()}
        case list():
            return [_as_text(each) for each in value]
        case bool():
            return json.dumps(value)
    return str(value)


def _findings(said: dict[str, Any], policies: list[Document]) -> Iterator[Finding]:
    """One for each action, so that each is accepted for itself."""
    document = policies[int(Path(said["location"]["filepath"]).stem)]
    for subject, message in _subjects(said):
        rule = f"{said['issue']} {subject}".strip()
        yield Finding("policies", rule, document.place, f"{said['title']}: {message}", document.origin)


def _subjects(said: dict[str, Any]) -> list[tuple[str, str]]:
    """Actions, and what is said of each."""
    detail = said["detail"]
    if said["issue"] == "RESOURCE_MISMATCH":
        return [(each["action"], f"wants {each['required_format']}") for each in detail]
    actions = said["location"].get("actions") or (detail if said["issue"] == "RESOURCE_STAR" else [])
    return [(action, "") for action in actions] or [("", json.dumps(detail))]
