"""cfn-guard: our own rules, in its language, for what the others do not look at."""

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
    """Each resource is judged alone, so that a finding has a place; so is what a template holds besides."""
    with tempfile.TemporaryDirectory() as made:
        places = _pieces(subject.templates, Path(made))
        return [finding for verdict in _verdicts(Path(made)) for finding in _findings(verdict, places)]


def _pieces(templates: Sequence[Template], folder: Path) -> dict[str, tuple[str, str]]:
    """File name → place and origin. Equal pieces of one place are written once."""
    written: dict[tuple[str, str], str] = {}
    places: dict[str, tuple[str, str]] = {}
    for template in templates:
        for place, piece in _parted(template):
            key = place, json.dumps(piece)
            if key not in written:
                written[key] = f"{len(written)}.json"
                (folder / written[key]).write_text(key[1])
                places[written[key]] = place, template.origin
    return places


def _parted(template: Template) -> Iterator[tuple[str, dict[str, Any]]]:
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
        said = list(dict.fromkeys(_MESSAGE.findall(json.dumps(broken, ensure_ascii=False))))
        yield Finding("guard", broken["Rule"]["name"], place, "; ".join(said), origin)
