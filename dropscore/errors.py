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
│   │   └── ModelChangedError  the endpoint got another model in mid-file: the whole file is scored again
│   └── SupersededError  another attempt owns the job: this one stops and writes nothing
└── IllegalMoveError     a state change that no job may make; a bug, never the user's fault
"""

from __future__ import annotations


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
    """Why a job ends or an attempt stops. `code` is a word of `docs/jobs-table.md`; never row content in `message`."""

    exit_code = 1

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class PermanentError(JobError):
    pass


class RejectedError(PermanentError):
    pass


class RowsRefusedError(RejectedError):
    """The model refused a body. `reason` says why without where; `row` is the file's row it named, None for none."""

    def __init__(self, code: str, message: str, *, reason: str, row: int | None = None) -> None:
        super().__init__(code, message)
        self.reason = reason
        self.row = row


class RowTooLargeError(RejectedError):
    pass


class BodyTooLargeError(PermanentError):
    pass


class TransientError(JobError):
    pass


class ModelChangedError(TransientError):
    pass


class SupersededError(JobError):
    pass
