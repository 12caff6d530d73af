"""The shape of the code: small folders, small functions, no circular imports, assets that hold only what they need."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

from stacks.constructs.imports import imported_files

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("schema", "stacks", "dropscore", "lambdas", "model_tools", "training", "local", "tools")
MAX_FILES = 16
MAX_LINES = 40


def _sources() -> Iterator[Path]:
    for name in (*PACKAGES, "containers"):
        yield from sorted((ROOT / name).rglob("*.py"))


def test_no_folder_has_more_than_16_files() -> None:
    sizes = Counter(str(path.parent.relative_to(ROOT)) for path in _sources())
    assert {folder: size for folder, size in sizes.items() if size > MAX_FILES} == {}


def test_no_function_has_more_than_40_lines() -> None:
    """Docstring and decorators do not count."""
    found = {}
    for path in _sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) and node.body[1:] else node.body
                lines = (node.end_lineno or 0) - body[0].lineno + 1
                if lines > MAX_LINES:
                    found[f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"] = lines
    assert found == {}


def _module(path: Path, base: Path) -> str:
    return ".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__")


def _imports(tree: ast.Module, modules: set[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names} & modules
            yield from inner or {node.module} & modules
        elif isinstance(node, ast.Import):
            yield from {alias.name for alias in node.names} & modules


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    files = {_module(path, ROOT): path for name in PACKAGES for path in (ROOT / name).rglob("*.py")}
    files |= {_module(path, ROOT / "containers"): path for path in (ROOT / "containers").rglob("*.py")}
    graph = {
        module: set(_imports(ast.parse(path.read_text()), set(files))) - {module} for module, path in files.items()
    }
    TopologicalSorter(graph).prepare()  # raises CycleError with the circle


def test_a_function_contains_what_it_imports_and_nothing_else() -> None:
    def contents(name: str) -> set[str]:
        return set(imported_files(ROOT / "lambdas" / name / "handler.py", ROOT, ("dropscore", "lambdas", "schema")))

    submit, announce, builder = contents("scoring/submit"), contents("scoring/announce"), contents("images/builder")
    assert {"dropscore/events/submit.py", "dropscore/files/head.py", "schema/options.py"} <= submit
    assert {"dropscore/__init__.py", "lambdas/scoring/__init__.py", "lambdas/scoring/submit/handler.py"} <= submit
    assert not [name for name in submit if name.startswith(("dropscore/scoring", "dropscore/cli", "lambdas/images"))]
    assert not [name for name in announce if name.startswith(("dropscore/files", "dropscore/scoring"))]
    assert not [name for name in builder if name.startswith(("dropscore/aws", "dropscore/jobs", "lambdas/scoring"))]
