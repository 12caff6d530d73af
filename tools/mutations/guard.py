"""A guard: the text that keeps a promise, what stands there when it is taken out, and the test that then fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Guard:
    """`file` is below the project's root, `test` a pytest node id. `text` stands in the file exactly once."""

    name: str
    file: str
    text: str
    without: str
    test: str

    def taken_out(self, source: str) -> str:
        """The source without the guard. Raises ValueError where its text is not there once, or no Python is left."""
        found = source.count(self.text)
        if found != 1:
            raise ValueError(f"its text occurs {found} times instead of once; correct the table")
        mutant = source.replace(self.text, self.without)
        try:
            compile(mutant, self.file, "exec")
        except SyntaxError as error:
            raise ValueError(f"the result is not valid Python ({error.msg}); correct the table") from None
        return mutant

    def line(self, root: Path) -> int:
        """Where in the file the guard begins."""
        return (root / self.file).read_text().partition(self.text)[0].count("\n") + 1


def problems(guards: Iterable[Guard], root: Path) -> Iterator[tuple[str, str]]:
    """The names of guards that the table does not tell of rightly, and why."""
    guards = list(guards)
    for name, count in Counter(guard.name for guard in guards).items():
        if count > 1:
            yield name, f"{count} guards have this name: rename all but one"
    for guard in guards:
        try:
            guard.taken_out((root / guard.file).read_text())
        except (FileNotFoundError, ValueError) as error:
            yield guard.name, f"{guard.file}: {error}"
