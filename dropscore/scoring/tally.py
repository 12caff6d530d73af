"""Counts the rows of a file, or of one shard, and its bad rows; and the list of bad rows beside an output."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dropscore.files.cells import quoted
from dropscore.jobs.bad_rows import BadRow, BadRowLimit
from dropscore.scoring.scorer import Scored

HOPELESS_ROWS = 1000  # so many bad rows, and most rows bad: a percentage need not wait for the end of the file


@dataclass
class Tally:
    """Counts rows as they are scored. Raises RejectedError as soon as it is certain that too many are bad."""

    limit: BadRowLimit
    is_whole: bool = True
    rows: int = 0
    bad: int = 0
    first: BadRow | None = None

    def watch(self, scores: Iterator[Scored]) -> Iterator[Scored]:
        for scored in scores:
            self.rows += scored.rows
            self.bad += len(scored.bad)
            self.first = self.first or next(iter(scored.bad), None)
            self._check()
            yield scored
        # A percentage is of the whole file. If it has several shards, the publishing job checks them together.
        if self.is_whole:
            self.limit.check(self.rows, self.bad, self.first)

    def _check(self) -> None:
        most = self.limit.rows
        if most is not None:
            is_over = self.bad > most
        else:
            is_over = self.bad >= HOPELESS_ROWS and self.bad * 100 > max(self.limit.percent, 50) * self.rows
        if is_over and self.first:
            raise self.limit.exceeded(self.rows, self.bad, self.first)


# Places are the file's, not the request's: `id`, `columns` and `exclude` shift columns, and users look for a fault in
# an editor. New columns go to the end, so that programs that read by position keep working.
ERRORS_HEADER = b"row,offset,code,reason,line,column,column_name\n"


def errors_csv(bad: Iterable[BadRow]) -> bytes:
    """One line for each bad row: where it is and why it is bad. Never what is in it."""
    return b"".join(
        _written(row.row, row.offset, row.code, row.reason, row.line, *(row.column or ("", ""))) for row in bad
    )


def moved(line: bytes, rows_before: int, lines_before: int) -> bytes:
    """A line of one shard's list as a line of the file's list, with the rows and lines before the shard added."""
    row, offset, code, reason, number, column, name = next(csv.reader([line.decode()]))
    return _written(int(row) + rows_before, offset, code, reason, int(number) + lines_before, column, name)


def _written(
    row: int, offset: int | str, code: str, reason: str, line: int | None, column: int | str, name: str
) -> bytes:
    words = [quoted(word.encode()).decode() for word in (reason, name)]
    return f"{row},{offset},{code},{words[0]},{line},{column},{words[1] if name else ''}\n".encode()
