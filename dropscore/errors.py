"""Every error of ours, drawn as a tree.

DropscoreError
├── ConfigurationError   settings, credentials or environment are wrong        exit 3
├── CloudError           AWS, or the embedded cloud, answered with an error    exit 4
├── JobFailedError       a job ended FAILED or REJECTED                        exit 1
├── JobError             why a job ends; carries the code of the jobs table
│   ├── PermanentError   trying again cannot help: the job ends FAILED
│   │   ├── RejectedError   the file itself is at fault: the job ends REJECTED
│   │   │   ├── RowsRefusedError  the model refused a request: which rows of it is found out
│   │   │   ├── RowTooLargeError  one row is longer than a request may be
│   │   │   └── StrayQuoteError   a quote where none may stand: row ends are not certain any more
│   │   └── RequestTooLargeError  the endpoint takes less: the request is halved
│   ├── TransientError   trying again may help: Batch starts another attempt
│   │   ├── BusyError          overloaded, or not ready yet: it is asked again with patience
│   │   └── ModelChangedError  the endpoint got another model in mid-file: the whole file is scored again
│   └── SupersededError  another attempt owns the job: this one stops and writes nothing
└── IllegalMoveError     a state change that no job may make; a bug, never the user's fault
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

from dropscore.position import Column


class DropscoreError(Exception):
    """Base of all our errors. The message says what happened, where, and what to do next."""

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
    """Why a job ends or an attempt stops. `code` is a word of `docs/jobs-table.md`; never row content in `said`.

    `rows` are the first and the last row that it is about, numbered from the start of what is being read: of the file,
    or of one shard of it until `moved`; so is `line`, the first one's line in an editor. `offset` is its place in the
    file, in bytes.
    """

    exit_code = 1

    def __init__(
        self,
        code: str,
        said: str,
        *,
        rows: tuple[int, int] | None = None,
        offset: int | None = None,
        line: int | None = None,
    ) -> None:
        super().__init__(said)
        self.code = code
        self.said = said
        self.rows = rows
        self.offset = offset
        self.line = line

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    @property
    def message(self) -> str:
        """What happened, where it happened in front."""
        line = [] if self.line is None else [f"line {self.line}"]
        at = ", ".join([*line, *([] if self.offset is None else [f"at byte {self.offset}"])])
        if self.rows is None:
            return f"{at}: {self.said}" if at else self.said
        first, last = self.rows
        where = f"row {first}" if first == last else f"rows {first} to {last}"
        return f"{where} ({at}): {self.said}" if at else f"{where}: {self.said}"

    def moved(self, rows_before: int, lines_before: int) -> Self:
        """The same, once it is known how many rows and lines of the file stand before what was read."""
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
    """Why the model refuses one row of a request; `place` counts from 0 in it."""

    place: int
    code: str
    reason: str
    column: int | None = None
    """Of the request, from 1."""


class RowsRefusedError(RejectedError):
    """The model refused a request. `reason` says why, and in which column of the file where that is known.

    `faults` are the rows that the model named, ascending, and nobody but the model says so. `has_more`: it said that
    there are others; None where it did not say whether.
    """

    def __init__(
        self,
        code: str,
        said: str,
        *,
        rows: tuple[int, int],
        offset: int | None = None,
        line: int | None = None,
        reason: str,
        column: Column | None = None,
        faults: Sequence[RowFault] = (),
        has_more: bool | None = None,
    ) -> None:
        super().__init__(code, said, rows=rows, offset=offset, line=line)
        self.reason = reason
        self.column = column
        self.faults = faults
        self.has_more = has_more


class RowTooLargeError(RejectedError):
    pass


class StrayQuoteError(RejectedError):
    """A quote, or an escape, after which nobody knows where rows end. `column` is its number in the file."""

    def __init__(self, what: str, *, row: int, column: int, line: int, offset: int) -> None:
        super().__init__("STRAY_QUOTE", "", rows=(row, row) if row else None, offset=offset, line=line)
        self._what = what
        self.column = column
        self.name(Column(column))

    def name(self, column: Column) -> None:
        """Says the column's name, too, once the header is known."""
        where = column if self.rows else f"in the header, {column}"
        self.said = (
            f"{where}: {self._what}. From here on nobody can tell where rows end, so the whole file is rejected, "
            "whatever max_bad_rows is. Put the cell in double quotes and double those inside it; or set "
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
