"""Finds the project files that a program imports, by parsing their source: the exact content of an asset."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path


def imported_files(program: Path, root: Path, packages: Sequence[str]) -> list[str]:
    """Return `program` and all files of `packages` that it imports, directly or not, as sorted paths below `root`.

    Imports inside functions count too. The `__init__.py` of every parent package is included.
    """
    found: set[Path] = set()
    to_read = [program]
    while to_read:
        file = to_read.pop()
        if file not in found:
            found.add(file)
            to_read += [*_imports(file, root, packages), *_parents(file, root)]
    return sorted(str(file.relative_to(root)) for file in found)


def _imports(file: Path, root: Path, packages: Sequence[str]) -> Iterator[Path]:
    for node in ast.walk(ast.parse(file.read_text())):
        for name in _names(node):
            if name.partition(".")[0] in packages:
                path = root.joinpath(*name.split("."))
                candidates = (path.with_suffix(".py"), path / "__init__.py")
                yield from (candidate for candidate in candidates if candidate.exists())


def _names(node: ast.AST) -> Iterator[str]:
    """Every module that a statement may import: `from a import b` yields `a` and `a.b`, which may be a module."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _parents(file: Path, root: Path) -> Iterator[Path]:
    for folder in file.parents:
        if folder == root:
            return
        if (folder / "__init__.py").exists():
            yield folder / "__init__.py"
