"""How many rows of a file may be bad before the file is: `max_bad_rows` of its route."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dropscore.errors import ConfigurationError, RejectedError
from dropscore.files.cells import quoted
from dropscore.scoring.scorer import BadRow, Scored

HOPELESS_ROWS = 1000  # so many bad rows, and most rows bad: a percentage need not wait for the end of the file
NO_LIMIT = 1 << 62


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """`rows` bad rows, or `percent` of all the file's rows."""

    rows: int | None = None
    percent: float = 0.0

    @classmethod
    def parse(cls, text: str | int) -> Allowance:
        """`0`, `25` or `"0.5%"`."""
        said = re.fullmatch(r"(\d+)|(\d+(?:\.\d+)?)%", str(text))
        if said is None or float(said[2] or 0) > 100:
            raise ConfigurationError(
                f"max_bad_rows is {text!r}; write a number of rows, or a percentage such as '0.5%'"
            )
        return cls(rows=int(said[1])) if said[1] else cls(percent=float(said[2]))

    @property
    def most_in_a_body(self) -> int:
        return NO_LIMIT if self.rows is None else self.rows

    def __str__(self) -> str:
        return f"{self.percent:g}%" if self.rows is None else str(self.rows)

    def check(self, rows: int, bad: int, first: BadRow | None) -> None:
        """Raises RejectedError where `bad` of a whole file's `rows` are more than the allowance has."""
        if first and (bad * 100 > self.percent * rows if self.rows is None else bad > self.rows):
            raise self.exceeded(rows, bad, first)

    def exceeded(self, rows: int, bad: int, first: BadRow) -> RejectedError:
        return RejectedError(
            first.code,
            f"the model refuses it: {first.reason}. It is the first of {bad} bad rows in {rows} rows looked at, and "
            f"max_bad_rows is {self}; mend the file and upload it again, or allow more",
            rows=(first.row, first.row),
            offset=first.offset,
            line=first.line,
        )


@dataclass
class Borne:
    """Watches a file's scores, or one shard's, go by; raises RejectedError once it is sure that the file is bad."""

    allowance: Allowance
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
        if self.is_whole:
            self.allowance.check(self.rows, self.bad, self.first)

    def _check(self) -> None:
        most = self.allowance.rows
        if most is not None:
            is_over = self.bad > most
        else:
            is_over = self.bad >= HOPELESS_ROWS and self.bad * 100 > max(self.allowance.percent, 50) * self.rows
        if is_over and self.first:
            raise self.allowance.exceeded(self.rows, self.bad, self.first)


# Places are the file's, not the request's: `id`, `columns` and `exclude` shift columns, and users look for a fault in
# an editor. New columns go to the end, so that programs that read by position keep working.
ERRORS_HEADER = b"row,offset,code,reason,line,column,column_name\n"


def errors_csv(bad: Iterable[BadRow]) -> bytes:
    """One line for each bad row: where it is and why it is bad. Never what is in it."""
    return b"".join(
        _written(row.row, row.offset, row.code, row.reason, row.line, *(row.column or ("", ""))) for row in bad
    )


def moved(line: bytes, rows_before: int, lines_before: int) -> bytes:
    """A line of one shard's list as a line of the file's, once it is known what stands before the shard."""
    row, offset, code, reason, number, column, name = next(csv.reader([line.decode()]))
    return _written(int(row) + rows_before, offset, code, reason, int(number) + lines_before, column, name)


def _written(
    row: int, offset: int | str, code: str, reason: str, line: int | None, column: int | str, name: str
) -> bytes:
    words = [quoted(word.encode()).decode() for word in (reason, name)]
    return f"{row},{offset},{code},{words[0]},{line},{column},{words[1] if name else ''}\n".encode()
