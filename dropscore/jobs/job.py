"""A job: one version of one input on its way to its scores, and its changes of status.

CLAIMED ─► SUBMITTED ─► RUNNING ─► SUCCEEDED
   ▲└──────────┴───────────┴─────► FAILED | REJECTED
   └──────────────── `dropscore retry` ─────┘
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from enum import StrEnum

from dropscore.errors import IllegalMoveError
from dropscore.jobs.options import Options
from dropscore.jobs.plan import Plan


class State(StrEnum):
    CLAIMED = "CLAIMED"  # an event was accepted; no other event can start the job
    SUBMITTED = "SUBMITTED"  # it is in the queue of AWS Batch
    RUNNING = "RUNNING"  # an attempt owns it, also between two attempts
    SUCCEEDED = "SUCCEEDED"  # the whole output is published
    FAILED = "FAILED"  # nothing was published; `code` and `message` say why
    REJECTED = "REJECTED"  # as FAILED, and the input itself is the cause

    @property
    def is_final(self) -> bool:
        return self in ENDS or self is State.SUCCEEDED


ENDS = frozenset({State.FAILED, State.REJECTED})
MOVES: dict[State, frozenset[State]] = {
    State.CLAIMED: frozenset({State.SUBMITTED, State.RUNNING}) | ENDS,
    State.SUBMITTED: frozenset({State.RUNNING}) | ENDS,
    # To RUNNING again: a later attempt finds the job as the killed one left it.
    State.RUNNING: frozenset({State.RUNNING, State.SUCCEEDED}) | ENDS,
    State.FAILED: frozenset({State.CLAIMED}),
    State.REJECTED: frozenset({State.CLAIMED}),
}


def may_move_to(state: State) -> tuple[State, ...]:
    """The states that may change to `state`: the condition of every update that sets it."""
    return tuple(source for source, targets in MOVES.items() if state in targets)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One item of the jobs table. Times are ISO-8601 UTC with milliseconds; sizes are in bytes.

    `options` is the JSON of the options when the job was claimed. `rejected_of` is the job whose rejected rows this one
    scores again.
    """

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
    options: str = "{}"
    shards: int = 1
    shard_bytes: int | None = None
    rejected_of: str | None = None
    run: int = 1
    code: str | None = None
    message: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    rows: int | None = None
    rows_scored: int = 0
    rows_rejected: int = 0
    rows_empty: int = 0
    shards_done: int = 0
    array_job_id: str | None = None
    batch_job_id: str | None = None
    attempt: int = 0
    expires_at: int | None = None

    @property
    def plan(self) -> Plan:
        return Plan(size_bytes=self.size_bytes, shard_bytes=self.shard_bytes or self.size_bytes, shards=self.shards)

    @property
    def parsed_options(self) -> Options:
        """Raises ConfigurationError if another release wrote options that this one does not have."""
        return Options.parse(json.loads(self.options), "the job's options")

    def move_to(self, state: State, **changes: str | int | None) -> Job:
        """The job with that status and these changes. Raises IllegalMoveError if the status may not change so."""
        if state not in MOVES.get(self.status, frozenset()):
            raise IllegalMoveError(f"job {self.job_id} cannot move from {self.status} to {state}")
        return replace(self, status=state, **changes)  # type: ignore[arg-type]


def job_id(bucket: str, key: str, version_id: str, *more: str) -> str:
    """32 hex digits for this version of this input. `more` distinguishes a retry that is a separate job."""
    # The separator keeps lists apart that read the same when joined, such as a, bc and ab, c.
    return hashlib.sha256("\0".join([bucket, key, version_id, *more]).encode()).hexdigest()[:32]
