"""Rows that the model refuses, and how many of them a file may have: the option `max_bad_rows`."""

from __future__ import annotations

from dataclasses import dataclass

from dropscore.errors import ConfigurationError, RejectedError
from dropscore.position import Column
from schema.options import row_limit

NO_LIMIT = 1 << 62


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that the model refused: its number, byte offset and line in the file, but never its content.

    `column` is the column of the wrong cell, None if it is unknown.
    """

    row: int
    offset: int
    code: str
    reason: str
    line: int | None = None
    column: Column | None = None


@dataclass(frozen=True, kw_only=True)
class BadRowLimit:
    """How many rows of a file may be bad: `rows`, or if that is None, `percent` of all rows."""

    rows: int | None = None
    percent: float = 0.0

    @classmethod
    def parse(cls, value: str | int) -> BadRowLimit:
        """`0`, `25` or `"0.5%"`. Raises ConfigurationError."""
        try:
            rows, percent = row_limit(value)
        except ValueError as error:
            raise ConfigurationError(f"max_bad_rows is {value!r}; {error}") from None
        return cls(rows=rows, percent=percent)

    @property
    def max_in_a_request(self) -> int:
        return NO_LIMIT if self.rows is None else self.rows

    def __str__(self) -> str:
        return f"{self.percent:g}%" if self.rows is None else str(self.rows)

    def check(self, rows: int, bad: int, first: BadRow | None) -> None:
        """Raises RejectedError if `bad` of a whole file's `rows` are too many."""
        if first and (bad * 100 > self.percent * rows if self.rows is None else bad > self.rows):
            raise self.exceeded(rows, bad, first)

    def exceeded(self, rows: int, bad: int, first: BadRow) -> RejectedError:
        return RejectedError(
            first.code,
            f"the model refused it: {first.reason}. It is the first of {bad} bad rows in {rows} rows scored so far; "
            f"max_bad_rows is {self}; correct the file and upload it again, or allow more",
            rows=(first.row, first.row),
            offset=first.offset,
            line=first.line,
        )
