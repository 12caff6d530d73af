"""Every error that Dropscore raises.

DropscoreError
├── ConfigurationError   settings, credentials or environment are wrong        exit 3
├── CloudError           AWS, or the embedded cloud, returned an error         exit 4
├── JobFailedError       a job ended FAILED or REJECTED                        exit 1
├── JobError             why a job ends; has the code that the jobs table shows
│   ├── PermanentError   another attempt cannot help: the job ends FAILED
│   │   ├── RejectedError   the file itself is the cause: the job ends REJECTED
│   │   │   ├── RowsRefusedError  the model refused a request: the worker finds out which rows
│   │   │   ├── RowTooLargeError  a row is longer than a request may be
│   │   │   └── StrayQuoteError   a quote in an illegal place: row ends are uncertain from there
│   │   └── RequestTooLargeError  the endpoint accepts less: the request is halved
│   ├── TransientError   another attempt may help: Batch starts one
│   │   ├── BusyError          overloaded, or not ready yet: many retries with long waits
│   │   └── ModelChangedError  the endpoint's model changed: the whole file is scored again
│   └── SupersededError  another attempt owns the job: this one stops and writes nothing
└── IllegalMoveError     a change of status that no job may make: a bug in Dropscore
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

from dropscore.position import Column


class DropscoreError(Exception):
    """The base of all errors. The message says what happened, where, and what to do next."""

    exit_code = 4


class ConfigurationError(DropscoreError):
    exit_code = 3


class CloudError(DropscoreError):
    exit_code = 4


class JobFailedError(DropscoreError):
    exit_code = 1


class IllegalMoveError(DropscoreError):
    pass


class JobError(DropscoreError):
    """Why a job ends or an attempt stops. `code` is from docs/jobs-table.md; `text` never contains row content.

    `rows` are the first and the last row concerned, and `line` the line of the first in an editor. Both count from 1 at
    the start of the file; for a shard, at its start until `moved`. `offset` is the position in the file, in bytes.
    """

    exit_code = 1

    def __init__(
        self,
        code: str,
        text: str,
        *,
        rows: tuple[int, int] | None = None,
        offset: int | None = None,
        line: int | None = None,
    ) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.rows = rows
        self.offset = offset
        self.line = line

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    @property
    def message(self) -> str:
        """The place, if it is known, and the text."""
        line = [] if self.line is None else [f"line {self.line}"]
        at = ", ".join([*line, *([] if self.offset is None else [f"at byte {self.offset}"])])
        if self.rows is None:
            return f"{at}: {self.text}" if at else self.text
        first, last = self.rows
        where = f"row {first}" if first == last else f"rows {first} to {last}"
        return f"{where} ({at}): {self.text}" if at else f"{where}: {self.text}"

    def moved(self, rows_before: int, lines_before: int) -> Self:
        """Changes positions within a shard to positions in the file. Returns the same error."""
        if self.rows is not None:
            self.rows = self.rows[0] + rows_before, self.rows[1] + rows_before
        if self.line is not None:
            self.line += lines_before
        return self


class PermanentError(JobError):
    pass


class RejectedError(PermanentError):
    pass


class RowFault(NamedTuple):
    """Why the model refuses one row of a request; `place` is the row's index, from 0."""

    place: int
    code: str
    reason: str
    column: int | None = None
    """The column of the request, from 1; None if the model named none."""


class RowsRefusedError(RejectedError):
    """The model refused a request. `reason` says why; `column` is the column of the file, if it is known.

    `faults` are the rows that the model named, ascending; nothing else confirms them. `has_more` is whether the model
    reported further rows, None if it did not say.
    """

    def __init__(
        self,
        code: str,
        text: str,
        *,
        rows: tuple[int, int],
        offset: int | None = None,
        line: int | None = None,
        reason: str,
        column: Column | None = None,
        faults: Sequence[RowFault] = (),
        has_more: bool | None = None,
    ) -> None:
        super().__init__(code, text, rows=rows, offset=offset, line=line)
        self.reason = reason
        self.column = column
        self.faults = faults
        self.has_more = has_more


class RowTooLargeError(RejectedError):
    pass


class StrayQuoteError(RejectedError):
    """A quote or an escape after which row ends are uncertain. `column` is its number in the file."""

    def __init__(self, problem: str, *, row: int, column: int, line: int, offset: int) -> None:
        super().__init__("STRAY_QUOTE", "", rows=(row, row) if row else None, offset=offset, line=line)
        self._problem = problem
        self.column = column
        self.name(Column(column))

    def name(self, column: Column) -> None:
        """Adds the column's name to the text."""
        where = column if self.rows else f"in the header, {column}"
        self.text = (
            f"{where}: {self._problem}. Row ends are uncertain from here on, so the whole file is rejected, "
            "whatever max_bad_rows is. Put the cell in double quotes and double the quotes inside it; or set "
            'quote = "none" if quotes are ordinary characters in this file, or escape = "\\\\" if a backslash stands '
            "before quotes inside cells"
        )


class RequestTooLargeError(PermanentError):
    pass


class TransientError(JobError):
    pass


class BusyError(TransientError):
    pass


class ModelChangedError(TransientError):
    pass


class SupersededError(JobError):
    pass
