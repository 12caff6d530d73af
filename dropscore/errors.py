"""Every error of ours, drawn as a tree.

DropscoreError
├── ConfigurationError   settings, credentials or environment are wrong        exit 3
├── CloudError           AWS, or the embedded cloud, answered with an error    exit 4
├── JobFailedError       a job ended FAILED or REJECTED                        exit 1
├── JobError             why a job ends; carries the code of the jobs table
│   ├── PermanentError   trying again cannot help: the job ends FAILED
│   │   ├── RejectedError   the file itself is at fault: the job ends REJECTED
│   │   │   ├── RowsRefusedError  the model refused a body: which rows of it is found out
│   │   │   └── RowTooLargeError  one row is longer than a body may be
│   │   └── BodyTooLargeError  the endpoint takes less: the body is halved
│   ├── TransientError   trying again may help: Batch starts another attempt
│   │   ├── BusyError          overloaded, or not ready yet: it is asked again with patience
│   │   └── ModelChangedError  the endpoint got another model in mid-file: the whole file is scored again
│   └── SupersededError  another attempt owns the job: this one stops and writes nothing
└── IllegalMoveError     a state change that no job may make; a bug, never the user's fault
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self


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
    or of one shard of it until `moved`. `offset` is the first one's place in the file, in bytes.
    """

    exit_code = 1

    def __init__(self, code: str, said: str, *, rows: tuple[int, int] | None = None, offset: int | None = None) -> None:
        super().__init__(said)
        self.code = code
        self.said = said
        self.rows = rows
        self.offset = offset

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    @property
    def message(self) -> str:
        """What happened, where it happened in front."""
        at = "" if self.offset is None else f"at byte {self.offset}"
        if self.rows is None:
            return f"{at}: {self.said}" if at else self.said
        first, last = self.rows
        where = f"row {first}" if first == last else f"rows {first} to {last}"
        return f"{where} ({at}): {self.said}" if at else f"{where}: {self.said}"

    def moved(self, rows_before: int) -> Self:
        """The same, once it is known how many rows of the file stand before what was read."""
        if self.rows is not None:
            self.rows = self.rows[0] + rows_before, self.rows[1] + rows_before
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


class RowsRefusedError(RejectedError):
    """The model refused a body. `reason` says why without where.

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
        reason: str,
        faults: Sequence[RowFault] = (),
        has_more: bool | None = None,
    ) -> None:
        super().__init__(code, said, rows=rows, offset=offset)
        self.reason = reason
        self.faults = faults
        self.has_more = has_more


class RowTooLargeError(RejectedError):
    pass


class BodyTooLargeError(PermanentError):
    pass


class TransientError(JobError):
    pass


class BusyError(TransientError):
    pass


class ModelChangedError(TransientError):
    pass


class SupersededError(JobError):
    pass
