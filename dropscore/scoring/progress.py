"""The progress of an attempt in the jobs table, and the proof that the attempt still owns the job."""

from __future__ import annotations

import time

from dropscore.aws.table import JobsTable, JobUpdate
from dropscore.errors import BusyError, SupersededError
from dropscore.jobs.job import Job, State
from dropscore.metrics import Meter

WHOLE_SECONDS = 2.0
SHARD_SECONDS = 15.0  # thousands of shards share one item of the table


class Progress:
    """Writes to the jobs table every few seconds. Raises SupersededError if the attempt may no longer write there.

    `shard` is None for an attempt that owns the whole job.
    """

    def __init__(self, table: JobsTable, job: Job, meter: Meter, shard: int | None = None) -> None:
        self._table, self._job, self._meter, self._shard = table, job, meter, shard
        self._written = time.monotonic()
        self._version = job.model_version
        self._rows = 0

    def scored(self, rows: int, version: str | None) -> None:
        """`rows` more rows were scored, by this version of the model if the endpoint reports one."""
        self._rows += rows
        self._meter.tick()
        if version not in (None, self._version):
            self._version = str(version)
            self._write({"model_version": version})  # the model was deployed again since the job was claimed
        elif self._is_due():
            # A reply came: what the table says about a wait, or about the attempt before, is out of date.
            self._write({"code": None, "message": None})

    def waiting(self, error: BusyError | None) -> None:
        """No reply yet. `error` is the endpoint's, if it is busy."""
        self._meter.tick()
        if self._is_due():
            self._write({"code": error.code, "message": error.message} if error else {})

    def confirm(self) -> None:
        """Raises SupersededError unless this attempt still owns the job."""
        self._write({})

    def shard_done(self, rows: int) -> None:
        """Adds the rows of a finished shard to the job's progress."""
        self._meter.count(ShardsDone=1)
        self._table.advance(self._job, rows)

    def _is_due(self) -> bool:
        return time.monotonic() - self._written >= (WHOLE_SECONDS if self._shard is None else SHARD_SECONDS)

    def _write(self, update: JobUpdate) -> None:
        self._written = time.monotonic()
        update["status"] = State.RUNNING
        # The rows of a job with several shards are added up by `advance`; a number here would overwrite the sum.
        if self._shard is None and self._job.shards == 1:
            update["rows_scored"] = self._rows
        is_whole = self._shard is None
        if not (self._table.report(self._job, **update) if is_whole else self._table.note(self._job, **update)):
            raise SupersededError(
                "SUPERSEDED", f"job {self._job.job_id} has ended or another attempt owns it; this attempt stops"
            )
