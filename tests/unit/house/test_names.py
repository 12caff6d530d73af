"""Names: identifiers that this project does not use, and names that it has replaced (CHANGELOG.md lists them)."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PRODUCT = (
    "app.py",
    "schema",
    "stacks",
    "dropscore",
    "lambdas",
    "containers",
    "model_tools",
    "training",
    "local",
    "tools",
)
BANNED = re.compile(
    r"said|told.*|borne|wish|meant|letters|doors|visitors|upkeep|complaints?|gate|pieces|manner|surroundings|wanted"
    r"|known|kind|one|mine"
)
REPLACED = {
    "settings": "in_flight body_limit_bytes keep_data azs runnable_minutes",
    "codes": "AWS_BUSY NO_ROOM MODEL_ASLEEP UNANNOUNCED_HEADER COLUMN_TWICE BAD_OPTIONS SOURCE_GONE SOURCE_CHANGED "
    "PARTS_DO_NOT_FIT NOT_ENDED BATCH_LOST",
    "alarms and metrics": "Unkept Unmended InFlight",
    "spelling": "artefact Artefact artefacts",
}
REPLACED_IN_CONTEXT = {
    "setting `protected`": r"deploy\.protected|^protected = ",
    "alarms": r"[\"`](?:Silent|Findings|Stuck)[\"`]",
    "make targets": r"make (?:faults|privileges)\b|^(?:faults|privileges):",
}
HISTORY = (
    "CHANGELOG.md",
    "tests/unit/house/test_names.py",
    "tests/stacks/identities.txt",
    "tests/stacks/test_identities.py",
)


def _sources() -> Iterator[Path]:
    for name in PRODUCT:
        path = ROOT / name
        yield from [path] if path.is_file() else sorted(path.rglob("*.py"))


def _identifiers(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every name that the code introduces, and its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield (node.id if isinstance(node, ast.Name) else node.attr), node.lineno
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno


def _tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    files = listed.stdout.splitlines() if listed.returncode == 0 else []
    return files or [str(path.relative_to(ROOT)) for name in PRODUCT for path in (ROOT / name).rglob("*.py")]


def test_product_code_uses_no_banned_identifier() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in _sources()
        for name, line in _identifiers(ast.parse(path.read_text()))
        if BANNED.fullmatch(name.strip("_"))
    ]
    assert found == []


@pytest.mark.parametrize("subject", [*REPLACED, *REPLACED_IN_CONTEXT])
def test_replaced_names_are_gone(subject: str) -> None:
    words = "|".join(REPLACED[subject].split()) if subject in REPLACED else ""
    pattern = re.compile(rf"\b(?:{words})\b" if words else REPLACED_IN_CONTEXT[subject], re.MULTILINE)
    found = []
    for name in _tracked():
        path = ROOT / name
        if name in HISTORY or not path.is_file():
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [f"{name}: {match[0]}" for match in pattern.finditer(text)]
    assert found == []


def test_banned_identifiers_are_found() -> None:
    tree = ast.parse("def f(known):\n    _said = told_by = 1\n    self.kind = 2\n")
    names = [name for name, _ in _identifiers(tree) if BANNED.fullmatch(name.strip("_"))]
    assert sorted(names) == ["_said", "kind", "known", "told_by"]
