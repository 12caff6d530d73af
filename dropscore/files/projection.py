"""Which cells of a row the model gets, in its own order."""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter

from dropscore.files.cells import is_plain, only, split_cells
from dropscore.files.dialect import RFC_4180, Dialect
from dropscore.files.rows import lines_of

NOTHING = b'""'


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The cells `kept` (from 0, in the model's order) of rows that have `width` cells."""

    width: int
    kept: tuple[int, ...]
    dialect: Dialect = RFC_4180

    def of(self, text: bytes) -> list[bytes]:
        """The chosen cells as they are written: a line for each row, empty where one empty cell is all."""
        lines = lines_of(text, self.dialect)
        return self._all_of(lines) if self._is_uniform(text) else [self._of(line) for line in lines]

    def _is_uniform(self, text: bytes) -> bool:
        """Whether every row has its width, and no delimiter or line end within quotes."""
        ends = self.dialect.delimiter + b"\n"
        found = only(text, ends) + (b"" if text.endswith(b"\n") else b"\n")
        one = self.dialect.delimiter * (self.width - 1) + b"\n"
        return found == one * (len(found) // self.width) and is_plain(text, ends, self.dialect)

    def _all_of(self, lines: list[bytes]) -> list[bytes]:
        """The short way, for uniform rows."""
        delimiter, before, after = self.dialect.delimiter, self.kept[0], self.width - 1 - self.kept[-1]
        if self.kept != tuple(range(before, self.width - after)):
            chosen = itemgetter(*self.kept)
            return [delimiter.join(chosen(line.split(delimiter))) for line in lines]
        if before:
            lines = [line.split(delimiter, before)[before] for line in lines]
        return [line.rsplit(delimiter, after)[0] for line in lines] if after else lines

    def _of(self, line: bytes) -> bytes:
        cells = split_cells(line, self.dialect)
        if len(cells) != self.width:
            return self._misfit(cells)
        return self.dialect.delimiter.join([cells[place] for place in self.kept])

    def _misfit(self, cells: list[bytes]) -> bytes:
        """A row with more or fewer cells may have any of them in the wrong place: a line that the model must refuse.

        It has fewer cells than the model wants, or two where it wants one.
        """
        if len(self.kept) == 1:
            return self.dialect.delimiter.join((cells[0] or NOTHING, NOTHING))
        there = [cells[place] for place in self.kept if place < len(cells)]
        return self.dialect.delimiter.join(there[: len(self.kept) - 1])
