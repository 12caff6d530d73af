"""cfn-guard: our own rules for what the other checkers do not cover."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tools.checks.findings import Finding
from tools.checks.programs import cfn_guard, run
from tools.checks.subject import Subject, Template

RULES = Path(__file__).resolve().parents[1] / "rules"
PASSED_OR_FAILED = (0, 19)
_MESSAGE = re.compile(r'"custom_message": "((?:[^"\\]|\\.)+)"')


def check(subject: Subject) -> list[Finding]:
    """Check each resource alone, so that a finding has a place; then the rest of each template."""
    with tempfile.TemporaryDirectory() as made:
        places = _write_parts(subject.templates, Path(made))
        return [finding for verdict in _verdicts(Path(made)) for finding in _findings(verdict, places)]


def _write_parts(templates: Sequence[Template], folder: Path) -> dict[str, tuple[str, str]]:
    """Write each part to a file; returns file name → place and origin. Equal parts of a place are written once."""
    written: dict[tuple[str, str], str] = {}
    places: dict[str, tuple[str, str]] = {}
    for template in templates:
        for place, part in _parts(template):
            key = place, json.dumps(part)
            if key not in written:
                written[key] = f"{len(written)}.json"
                (folder / written[key]).write_text(key[1])
                places[written[key]] = place, template.origin
    return places


def _parts(template: Template) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, resource in template.content["Resources"].items():
        yield f"{template.stack}/{name}", {"Resources": {name: resource}}
    yield template.stack, {**template.content, "Resources": {}}


def _verdicts(folder: Path) -> list[dict[str, Any]]:
    command = [cfn_guard(), "validate", "--rules", str(RULES), "--data", str(folder)]
    output = run(
        [*command, "--structured", "--output-format", "json", "--show-summary", "none"], expected=PASSED_OR_FAILED
    )
    verdicts: list[dict[str, Any]] = json.loads(output)
    return verdicts


def _findings(verdict: dict[str, Any], places: dict[str, tuple[str, str]]) -> Iterator[Finding]:
    place, origin = places[Path(verdict["name"]).name]
    for broken in verdict["not_compliant"]:
        messages = list(dict.fromkeys(_MESSAGE.findall(json.dumps(broken, ensure_ascii=False))))
        yield Finding("guard", broken["Rule"]["name"], place, "; ".join(messages), origin)
