"""A copy of the project, from which a guard can be taken out without harm to anybody."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import copy, copytree, ignore_patterns

from tools.mutations.guard import Guard

ROOT = Path(__file__).resolve().parents[2]
# Everything that the named tests read. tests/ has no more than they need: fixtures are large.
COPIED = (
    *("dropscore", "lambdas", "containers", "local", "pyproject.toml", "tests/conftest.py"),
    *("tests/contract", "tests/unit/dropscore", "tests/unit/model"),
)
PATIENCE_SECONDS = 180.0
PYTEST = """
import pathlib, sys
import dropscore, pytest
assert pathlib.Path(dropscore.__file__).resolve().is_relative_to(pathlib.Path.cwd()), dropscore.__file__
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "--hypothesis-seed=0", "--tb=no", *sys.argv[1:]]))
"""
PASSED, FAILED = 0, 1
# A mutant whose tests end so was written badly, or broke what they stand on: it proves nothing of the guard.
CRASHES = ("ERROR ", "NameError", "ImportError", "ModuleNotFoundError", "UnboundLocalError")


@dataclass(frozen=True)
class Outcome:
    code: int
    said: str
    """What pytest said last of the first test that did not pass."""

    @property
    def is_red(self) -> bool:
        """Whether a test has failed by what it looks at: not in its collection, nor by a mutant that cannot run."""
        return self.code == FAILED and not self.said.startswith(CRASHES)


class Tree:
    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        for name in COPIED:
            there = self.folder / name
            there.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).is_dir():
                copytree(ROOT / name, there, ignore=ignore_patterns("__pycache__", "node_modules"))
            else:
                copy(ROOT / name, there)

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
        """Runs tests in a new process, the copy first on its path."""
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
        """Compiled files are told by their time in seconds and their size: a mutant may have both of another's."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "DROPSCORE_"))}
        return {**kept, "PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "250"}


def _last_word(said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith(("FAILED ", "ERROR "))] or lines[-1:]
    word = told[0] if told else "nothing was said"
    return word.partition(" - ")[2] or word if word.startswith("FAILED ") else word
