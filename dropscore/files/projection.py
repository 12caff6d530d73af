"""The cells of a row that the model gets, in the model's order."""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter

from dropscore.files.cells import is_plain, only, split_cells
from dropscore.files.dialect import RFC_4180, Dialect
from dropscore.files.rows import lines_of

EMPTY_CELL = b'""'


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The cells `kept` (from 0, in the model's order) of rows that have `width` cells."""

    width: int
    kept: tuple[int, ...]
    dialect: Dialect = RFC_4180

    def of(self, text: bytes) -> list[bytes]:
        """The chosen cells as they are written: a line for each row, empty if its only cell is empty."""
        lines = lines_of(text, self.dialect)
        return self._all_of(lines) if self._is_uniform(text) else [self._of(line) for line in lines]

    def _is_uniform(self, text: bytes) -> bool:
        """Whether every row has `width` cells, and no delimiter or line end is within quotes."""
        # One scan of the separators of all rows is much cheaper than splitting each row (decision 0004).
        ends = self.dialect.delimiter + b"\n"
        found = only(text, ends) + (b"" if text.endswith(b"\n") else b"\n")
        marks_of_row = self.dialect.delimiter * (self.width - 1) + b"\n"
        return found == marks_of_row * (len(found) // self.width) and is_plain(text, ends, self.dialect)

    def _all_of(self, lines: list[bytes]) -> list[bytes]:
        """The quick way, for uniform rows."""
        delimiter, before, after = self.dialect.delimiter, self.kept[0], self.width - 1 - self.kept[-1]
        if self.kept != tuple(range(before, self.width - after)):
            chosen = itemgetter(*self.kept)
            return [delimiter.join(chosen(line.split(delimiter))) for line in lines]
        # Adjacent columns are cut off at both ends; the cells between are not split.
        if before:
            lines = [line.split(delimiter, before)[before] for line in lines]
        return [line.rsplit(delimiter, after)[0] for line in lines] if after else lines

    def _of(self, line: bytes) -> bytes:
        cells = split_cells(line, self.dialect)
        if len(cells) != self.width:
            return self._misfit(cells)
        return self.dialect.delimiter.join([cells[place] for place in self.kept])

    def _misfit(self, cells: list[bytes]) -> bytes:
        """A line that the model must refuse: in a row with a wrong number of cells, any cell may be misplaced.

        It has fewer cells than the model expects, or two if the model expects one.
        """
        if len(self.kept) == 1:
            return self.dialect.delimiter.join((cells[0] or EMPTY_CELL, EMPTY_CELL))
        present = [cells[place] for place in self.kept if place < len(cells)]
        return self.dialect.delimiter.join(present[: len(self.kept) - 1])
