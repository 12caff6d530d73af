"""Turns scores into output rows: the scores alone, after the row's id, or after the row itself."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat

from dropscore.errors import PermanentError
from dropscore.files.cells import split_cells
from dropscore.files.dialect import COMMA, Dialect
from dropscore.files.layout import Layout
from dropscore.files.requests import split_rows
from dropscore.files.rows import end_of, line_of, lines_of
from dropscore.jobs.options import Options


class Renderer:
    """Renders one part of a file, in the order of its rows.

    `columns` is the number of scores of a row, from score_names or from the first row with scores. `is_guess`: bad rows
    were written before the number was set, with one empty cell.
    """

    def __init__(self, layout: Layout, options: Options) -> None:
        self.columns: int | None = len(options.score_names) or None
        self.is_guess = False
        self._layout = layout
        self._options = options
        self._dialect = layout.dialect
        self._delimiter = COMMA if options.output == "scores" else layout.dialect.delimiter
        self._labels = tuple(label.encode() for label in options.labels)

    def render(self, data: bytes, lines: bytes) -> bytes:
        """Output rows for raw rows of the file and one line of scores for each, empty for a bad row.

        Raises PermanentError if rows have different numbers of scores, or more than one with a threshold.
        """
        output, threshold = self._options.output, self._options.threshold
        if output == "scores" and threshold is None:
            # The usual case, without a copy. The first line is enough: replies.py checks that all rows of a reply have
            # the same number of scores.
            self._learn(lines.lstrip(b"\n").partition(b"\n")[0])
            return lines
        self._learn(lines)
        scores = lines.split(b"\n")[:-1]
        if output == "scores":
            # `_added` begins with a delimiter, which a line of scores alone does not have.
            return b"".join([self._added(line)[1:] + b"\n" if line else b"\n" for line in scores])
        render_row = self._after_id if output == "id" else self._after_row
        return b"".join(
            [
                render_row(line, end, score)
                for (line, end), score in zip(_lines(data, self._dialect), scores, strict=True)
            ]
        )

    def header(self) -> bytes:
        """The output's header line; empty if the input has none or only scores are written. Call `render` first."""
        row, output = self._layout.header, self._options.output
        if not row or output == "scores":
            return b""
        self._guess()
        names = "".join(f"{self._options.delimiter}{name}" for name in self._names()).encode()
        line = line_of(row)
        return self._id_of(line) + names + b"\n" if output == "id" else line + names + _ended(row)

    def _after_id(self, line: bytes, _end: bytes, scores: bytes) -> bytes:
        return self._id_of(line) + self._added(scores) + b"\n"

    def _after_row(self, line: bytes, end: bytes, scores: bytes) -> bytes:
        return line + self._added(scores) + end

    def _id_of(self, line: bytes) -> bytes:
        """The id's cell as it is written; empty if a bad row has too few cells."""
        place = self._layout.id or 0
        is_quoted = b'"' in line
        cells = split_cells(line, self._dialect) if is_quoted else line.split(self._delimiter, place + 1)
        return cells[place] if place < len(cells) else b""

    def _added(self, scores: bytes) -> bytes:
        """The scores and the label, each after a delimiter; empty cells for a bad row."""
        has_label = self._options.threshold is not None
        if not scores:
            return self._delimiter * ((self.columns or 1) + has_label)
        cells = scores if self._delimiter == COMMA else scores.replace(COMMA, self._delimiter)
        return self._delimiter + cells + (self._delimiter + self._label(scores) if has_label else b"")

    def _label(self, score: bytes) -> bytes:
        # The comparison is the index: False for the first label, True for the second.
        return self._labels[float(score) >= (self._options.threshold or 0.0)]

    def _names(self) -> list[str]:
        count = self.columns or 1
        usual = ["score"] if count == 1 else [f"score_{number}" for number in range(1, count + 1)]
        return [*(self._options.score_names or usual), *([] if self._options.threshold is None else ["label"])]

    def _learn(self, lines: bytes) -> None:
        counts = {line.count(COMMA) + 1 for line in lines.split(b"\n") if line}
        for count in sorted(counts):
            self._see(count)
        # Rows of the file are written now, so the number of their empty cells cannot wait for the first score.
        if lines and not counts and self._options.output != "scores":
            self._guess()

    def _guess(self) -> None:
        if self.columns is None:
            self.columns, self.is_guess = 1, True

    def _see(self, count: int) -> None:
        if self._options.threshold is not None and count != 1:
            raise PermanentError(
                "THRESHOLD_NEEDS_ONE_SCORE",
                f"the model returns {count} scores for a row, but threshold needs exactly one; remove threshold",
            )
        if self.is_guess and count != self.columns:
            raise PermanentError(
                "SCORE_COLUMNS_UNKNOWN",
                f"the first rows are bad and were written with one score column, but the model returns {count} "
                "scores for a row; set score_names to the names of all score columns",
            )
        if self.columns not in (None, count):
            raise PermanentError(
                "BAD_RESPONSE",
                f"the model returned {count} scores for a row, {self.columns} are expected; nothing was published. "
                "Check score_names, and that the model returns the same number of scores for each row",
            )
        self.columns, self.is_guess = count, False


def _lines(data: bytes, dialect: Dialect) -> Iterable[tuple[bytes, bytes]]:
    """Each row without its line end, and the line end that its output row gets."""
    if b"\r" not in data:
        return zip(lines_of(data, dialect), repeat(b"\n"), strict=False)
    return [(line_of(row), _ended(row)) for row in split_rows(data, dialect)]


def _ended(row: bytes) -> bytes:
    """The line end of an output row: the row's own, or LF if the last row of a file has none."""
    end = end_of(row)
    return end if end.endswith(b"\n") else end + b"\n"
