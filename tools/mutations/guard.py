"""A guard: the code that keeps a promise, its replacement without the guard, and the test that must then fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Guard:
    """`file` is relative to the project's root, `test` is a pytest node id. `text` occurs in the file exactly once."""

    name: str
    file: str
    text: str
    without: str
    test: str

    def remove_from(self, source: str) -> str:
        """Return the source without the guard. Raises ValueError if that is not possible."""
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
        """Return the number of the guard's first line in the file."""
        return (root / self.file).read_text().partition(self.text)[0].count("\n") + 1


def problems(guards: Iterable[Guard], root: Path) -> Iterator[tuple[str, str]]:
    """Yield the names of guards with wrong entries in the table, and the problems."""
    guards = list(guards)
    for name, count in Counter(guard.name for guard in guards).items():
        if count > 1:
            yield name, f"{count} guards have this name: rename all but one"
    for guard in guards:
        try:
            guard.remove_from((root / guard.file).read_text())
        except (FileNotFoundError, ValueError) as error:
            yield guard.name, f"{guard.file}: {error}"
