"""A copy of the project in which a guard can be removed without harm to anyone who uses the project meanwhile."""

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
PATIENCE_SECONDS = 180.0
# The project is installed as editable, so its own folder is on the path of every process. Here it must not be: a file
# that the copy lacks would be imported from there, and a guard that is removed in the copy would still be in place.
PYTEST = """
import pathlib, sys
here = pathlib.Path.cwd()
sys.path[:] = [path for path in sys.path if path == str(here) or not (pathlib.Path(path) / "pyproject.toml").exists()]
import dropscore, pytest
assert pathlib.Path(dropscore.__file__).resolve().is_relative_to(here), dropscore.__file__
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "--hypothesis-seed=0", "--tb=no", *sys.argv[1:]]))
"""
PASSED, FAILED = 0, 1
# A test that ends so did not get as far as its assertions.
CRASHES = ("ERROR ", "NameError", "ImportError", "ModuleNotFoundError", "UnboundLocalError")


class Verdict(StrEnum):
    """What a test says of a guard that was removed."""

    FAILS = "fails"
    NOT_NOTICED = "NOT NOTICED"
    BROKEN = "BROKEN"
    """The test did not run to its assertions, so it proves nothing about the guard."""


@dataclass(frozen=True)
class Outcome:
    code: int
    output: str
    """The last line of pytest about the first test that did not pass."""

    @property
    def verdict(self) -> Verdict:
        if self.code == PASSED:
            return Verdict.NOT_NOTICED
        is_failure = self.code == FAILED and not self.output.startswith(CRASHES)
        return Verdict.FAILS if is_failure else Verdict.BROKEN


class Tree:
    """A copy of every file of the project, but for what .gitignore names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        copytree(ROOT, self.folder, ignore=_ignored, dirs_exist_ok=True)

    @contextmanager
    def without(self, guard: Guard) -> Iterator[None]:
        file = self.folder / guard.file
        source = file.read_text()
        file.write_text(guard.taken_out(source))
        try:
            yield
        finally:
            file.write_text(source)

    def pytest(self, *arguments: str) -> Outcome:
        """Runs tests in a new process that imports the project from the copy only."""
        try:
            ended = subprocess.run(
                [sys.executable, "-c", PYTEST, *arguments],
                cwd=self.folder,
                env=self._environment(),
                capture_output=True,
                text=True,
                timeout=PATIENCE_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Outcome(-1, f"no end within {PATIENCE_SECONDS:.0f} seconds")
        return Outcome(ended.returncode, _last_word(ended.stdout + ended.stderr))

    def _environment(self) -> dict[str, str]:
        """No compiled files: Python recognizes them by time in seconds and size, and two mutants may share both."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "DROPSCORE_"))}
        return {**kept, "PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "250"}


def _ignored(folder: str, names: list[str]) -> set[str]:
    patterns = [".git", *(ROOT / ".gitignore").read_text().split()]
    is_root = Path(folder) == ROOT
    return {name for name in names if any(_matches(name, pattern, is_root=is_root) for pattern in patterns)}


def _matches(name: str, pattern: str, *, is_root: bool) -> bool:
    """As git reads it: a slash in front ties a pattern to the root. Patterns with a slash inside are not used here."""
    return fnmatch(name, pattern.strip("/")) and (is_root or not pattern.startswith("/"))


def _last_word(output: str) -> str:
    lines = [line for line in output.splitlines() if line.strip()]
    results = [line for line in lines if line.startswith(("FAILED ", "ERROR "))] or lines[-1:]
    word = results[0] if results else "pytest printed nothing"
    return word.partition(" - ")[2] or word if word.startswith("FAILED ") else word
