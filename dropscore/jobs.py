"""A job: one version of one file on its way to its scores, and the moves it may make.

CLAIMED ─► SUBMITTED ─► RUNNING ─► SUCCEEDED
   └───────────┴───────────┴─────► FAILED | REJECTED
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from dropscore.errors import IllegalMoveError


class State(StrEnum):
    CLAIMED = "CLAIMED"  # the file's event was taken; nobody else will take it
    SUBMITTED = "SUBMITTED"  # AWS Batch has it
    RUNNING = "RUNNING"  # an attempt owns it (also between two attempts)
    SUCCEEDED = "SUCCEEDED"  # the output is published, whole
    FAILED = "FAILED"  # nothing was published; `code` and `message` say why
    REJECTED = "REJECTED"  # as FAILED, and the file itself is at fault

    @property
    def is_final(self) -> bool:
        return self not in MOVES


ENDS = frozenset({State.FAILED, State.REJECTED})
MOVES: dict[State, frozenset[State]] = {
    State.CLAIMED: frozenset({State.SUBMITTED, State.RUNNING}) | ENDS,
    State.SUBMITTED: frozenset({State.RUNNING}) | ENDS,
    State.RUNNING: frozenset({State.RUNNING, State.SUCCEEDED}) | ENDS,
}


def may_move_to(state: State) -> tuple[State, ...]:
    """The states from which `state` can be reached; the condition of every update that sets it."""
    return tuple(source for source, targets in MOVES.items() if state in targets)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One item of the jobs table. Times are ISO-8601 UTC with milliseconds; sizes bytes."""

    job_id: str
    file: str
    version_id: str
    route: str
    model: str
    model_version: str
    status: State
    submitted_at: str
    output_key: str
    size_bytes: int
    code: str | None = None
    message: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    rows: int | None = None
    rows_scored: int = 0
    rows_rejected: int = 0
    batch_job_id: str | None = None
    attempt: int = 0
    expires_at: int | None = None

    def move_to(self, state: State, **changes: str | int | None) -> Job:
        if state not in MOVES.get(self.status, frozenset()):
            raise IllegalMoveError(f"job {self.job_id} cannot move from {self.status} to {state}")
        return replace(self, status=state, **changes)  # type: ignore[arg-type]


def job_id(bucket: str, key: str, version_id: str) -> str:
    """32 hex digits that name this version of this file and nothing else."""
    return hashlib.sha256(f"{bucket}\0{key}\0{version_id}".encode()).hexdigest()[:32]


def timestamp(moment: datetime) -> str:
    """ISO-8601 UTC with milliseconds: 2026-11-21T01:40:19.123Z. Sorts as text."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now() -> str:
    return timestamp(datetime.now(UTC))
