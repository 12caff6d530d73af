"""A copy of the project, in which a guard can be removed without affecting other users of the project."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatch
from pathlib import Path
from shutil import copytree

from tools.mutations.guard import Guard

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_SECONDS = 180.0
# The project is installed as editable, so its folder is on the path of every process. It must not be here: a file that
# the copy lacks would be imported from the project, and a guard removed in the copy would still be in place.
PYTEST = """
import pathlib, sys
here = pathlib.Path.cwd()
sys.path[:] = [path for path in sys.path if path == str(here) or not (pathlib.Path(path) / "pyproject.toml").exists()]
import dropscore, pytest
assert pathlib.Path(dropscore.__file__).resolve().is_relative_to(here), dropscore.__file__
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "--hypothesis-seed=0", "--tb=no", *sys.argv[1:]]))
"""
PASSED, FAILED = 0, 1
# A test that ends with one of these did not reach its assertions.
CRASHES = ("ERROR ", "NameError", "ImportError", "ModuleNotFoundError", "UnboundLocalError")


class Verdict(StrEnum):
    """The result of a test without its guard."""

    FAILS = "fails"
    NOT_NOTICED = "NOT NOTICED"
    BROKEN = "BROKEN"
    """The test did not reach its assertions, so it proves nothing about the guard."""


@dataclass(frozen=True)
class Outcome:
    code: int
    output: str
    """pytest's summary line of the first test that failed."""

    @property
    def verdict(self) -> Verdict:
        if self.code == PASSED:
            return Verdict.NOT_NOTICED
        is_failure = self.code == FAILED and not self.output.startswith(CRASHES)
        return Verdict.FAILS if is_failure else Verdict.BROKEN


class Tree:
    """A copy of the project's files, except those in .gitignore."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        copytree(ROOT, self.folder, ignore=_ignored, dirs_exist_ok=True)

    @contextmanager
    def without(self, guard: Guard) -> Iterator[None]:
        file = self.folder / guard.file
        source = file.read_text()
        file.write_text(guard.remove_from(source))
        try:
            yield
        finally:
            file.write_text(source)

    def pytest(self, *arguments: str) -> Outcome:
        """Run tests in a new process that imports the project from the copy only."""
        try:
            ended = subprocess.run(
                [sys.executable, "-c", PYTEST, *arguments],
                cwd=self.folder,
                env=self._environment(),
                capture_output=True,
                text=True,
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Outcome(-1, f"did not end within {TIMEOUT_SECONDS:.0f} seconds")
        return Outcome(ended.returncode, _summary(ended.stdout + ended.stderr))

    def _environment(self) -> dict[str, str]:
        """Write no compiled files: Python identifies them by time in seconds and size, which two mutants may share."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "DROPSCORE_"))}
        return {**kept, "PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "250"}


def _ignored(folder: str, names: list[str]) -> set[str]:
    patterns = [".git", *(ROOT / ".gitignore").read_text().split()]
    is_root = Path(folder) == ROOT
    return {name for name in names if any(_matches(name, pattern, is_root=is_root) for pattern in patterns)}


def _matches(name: str, pattern: str, *, is_root: bool) -> bool:
    """Match as git does: a leading slash anchors a pattern at the root. An inner slash is not supported."""
    return fnmatch(name, pattern.strip("/")) and (is_root or not pattern.startswith("/"))


def _summary(output: str) -> str:
    lines = [line for line in output.splitlines() if line.strip()]
    results = [line for line in lines if line.startswith(("FAILED ", "ERROR "))] or lines[-1:]
    word = results[0] if results else "pytest printed nothing"
    return word.partition(" - ")[2] or word if word.startswith("FAILED ") else word
