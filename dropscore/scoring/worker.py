"""What a worker does with a job: score a small file whole, or one shard of a large one, or publish all its shards."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from dropscore.aws.table import JobsTable
from dropscore.errors import BusyError, JobError, PermanentError, RejectedError, SupersededError, TransientError
from dropscore.jobs.job import Job, State, now, seconds_between
from dropscore.log import ERROR, WARNING, about, log
from dropscore.metrics import Meter, emit, metered
from dropscore.output.manifest import manifest
from dropscore.output.parts import Part, Parts
from dropscore.output.publish import Manifest, Publication, told_by
from dropscore.scoring.assembly import Assembly
from dropscore.scoring.pace import Retry
from dropscore.scoring.pipeline import Pass
from dropscore.scoring.tally import ERRORS_HEADER, Borne
from dropscore.settings import WorkerSettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient

PROGRESS_SECONDS = 2.0
SHARD_SECONDS = 15.0  # thousands of shards share one row of the table


@dataclass(frozen=True, kw_only=True)
class Worker:
    """Each verb raises the JobError that ended the attempt, after it has been written to the jobs table.

    Where the job has ended or another attempt owns it, a verb writes nothing and returns None.
    """

    settings: WorkerSettings
    table: JobsTable
    s3: S3Client
    runtime: SageMakerRuntimeClient
    retry: Retry = field(default_factory=Retry)

    def score(self, job_id: str) -> Job | None:
        """Runs a job of one shard to its end."""
        return self._end(self._own(job_id), self._scored_whole)

    def publish(self, job_id: str) -> Job | None:
        """Runs a job of many shards to its end; whatever part is missing is scored now."""
        return self._end(self._own(job_id, keep_progress=True), self._assembled)

    def score_shard(self, job_id: str, index: int) -> Part | None:
        """Scores one shard and leaves its part; nothing is done twice."""
        job = self.table.enter(job_id, started_at=now())
        if job is None:
            log("superseded", job_id=job_id, shard=index, why="the job has ended")
            return None
        with self._attempt(job) as meter:
            log("started", job_id=job_id, shard=index, attempt=self.settings.attempt)
            self._measure_wait(job)
            try:
                part = self._assembly(job, meter).shard(index, _Watch(self, job, meter, index))
            except SupersededError as error:
                log("superseded", job_id=job_id, shard=index, why=error.message)
                return None
            except JobError as error:
                self._say(job, error, shard=index)
                raise
            log("scored", job_id=job_id, shard=index, rows=part.rows, rows_rejected=part.bad)
            return part

    @contextmanager
    def _attempt(self, job: Job) -> Iterator[Meter]:
        """Every line from here on names the file; what was measured is written however the attempt ends."""
        with about(key=job.file, run=job.run), metered(self.settings.environment, job.model) as meter:
            yield meter

    def _measure_wait(self, job: Job) -> None:
        """From the submission to the first attempt: the clocks of two machines, so good for a graph and no more."""
        if self.settings.attempt == 1:
            waited = max(0.0, seconds_between(job.submitted_at, now()))
            emit({"QueueTime": waited}, environment=self.settings.environment, model=job.model)

    def _own(self, job_id: str, *, keep_progress: bool = False) -> Job | None:
        mine = {"batch_job_id": self.settings.batch_job_id, "attempt": self.settings.attempt}
        if self.table.start(job_id, **mine, started_at=now(), keep_progress=keep_progress):  # type: ignore[arg-type]
            log("started", job_id=job_id, **mine)
            return self.table.find(job_id)
        log("superseded", job_id=job_id, why="the job has ended or another attempt owns it", **mine)
        return None

    def _end(self, job: Job | None, run: Callable[[Meter, Job, Publication], Manifest]) -> Job | None:
        if job is None:
            return None
        with self._attempt(job) as meter:
            return self._ended(job, partial(run, meter))

    def _ended(self, job: Job, run: Callable[[Job, Publication], Manifest]) -> Job | None:
        try:
            publication = Publication.of(self.s3, self.settings.bucket, job)
            published = publication.finish() or run(job, publication)
        except SupersededError as error:
            log("superseded", job_id=job.job_id, why=error.message)
            return None
        except JobError as error:
            self._say(job, error)
            raise
        said = told_by(published)
        remark = self._about_empty_rows(job, said["rows_empty"])
        self._report(job, status=State.SUCCEEDED, finished_at=now(), code=None, message=remark, **said)
        log("succeeded", job_id=job.job_id, output_key=job.output_key, **said)
        return job.move_to(State.SUCCEEDED, **said)

    @staticmethod
    def _about_empty_rows(job: Job, rows: int) -> str | None:
        """What to say of a job that succeeded although spreadsheets' empty rows are in the file."""
        if not rows:
            return None
        if job.parsed_options.skip_empty_rows:
            return f"{rows} rows with empty cells only were skipped: they have no line in the output"
        return f"{rows} rows hold empty cells only and were sent to the model; skip_empty_rows = true leaves them out"

    def _scored_whole(self, meter: Meter, job: Job, publication: Publication) -> Manifest:
        self._measure_wait(job)
        one, watch = self._pass(job, meter), _Watch(self, job, meter)
        borne = Borne(one.allowance)
        parts = Parts(s3=self.s3, bucket=self.settings.bucket, job=job)
        with publication.writer() as scores, parts.writer("errors.csv") as errors:
            errors.write(ERRORS_HEADER)
            start = one.start_of(0)
            line = one.layout.lines_before + 1
            tally = one.run(one.rows_from(0, start), start, scores, errors, borne, watch, line)
            if not borne.rows:
                raise RejectedError("EMPTY_FILE", "the file has no rows; upload one that has")
            watch.write()  # the last moment: an attempt that was replaced while it stalled publishes nothing
            part = tally.part(0, start, borne, scores, errors)
            listed = errors if borne.bad else None
            written = manifest(job, one.model, self.settings, [part], listed, columns=one.columns())
            return publication.commit(scores, listed, written)

    def _assembled(self, meter: Meter, job: Job, publication: Publication) -> Manifest:
        return self._assembly(job, meter).publish(publication, _Watch(self, job, meter))

    def _assembly(self, job: Job, meter: Meter) -> Assembly:
        one = self._pass(job, meter)
        parts = Parts(s3=self.s3, bucket=self.settings.bucket, job=job, names=one.matched_names)
        return Assembly(one=one, parts=parts)

    def _pass(self, job: Job, meter: Meter) -> Pass:
        return Pass(
            settings=self.settings,
            table=self.table,
            s3=self.s3,
            runtime=self.runtime,
            job=job,
            meter=meter,
            retry=self.retry,
        )

    def _say(self, job: Job, error: JobError, **where: int) -> None:
        """Writes why the attempt ended; the job itself ends only where trying again cannot help."""
        said: dict[str, str] = {"code": error.code, "message": error.message}
        if isinstance(error, PermanentError):
            said["status"] = State.REJECTED if isinstance(error, RejectedError) else State.FAILED
            said["finished_at"] = now()
        self._report(job, is_shard="shard" in where, **said)
        is_final = not isinstance(error, TransientError)
        level = ERROR if is_final else WARNING
        log("failed", level, job_id=job.job_id, code=error.code, why=error.message, is_final=is_final, **where)

    def _report(self, job: Job, *, is_shard: bool = False, **attributes: object) -> None:
        written = self.table.note(job, **attributes) if is_shard else self.table.report(job, **attributes)
        if not written:
            log("superseded", job_id=job.job_id, why="this attempt no longer owns the job; its word was not written")


class _Watch:
    """Counts rows as they pass and stops an attempt that lost the job, or a shard of a job that has ended."""

    def __init__(self, worker: Worker, job: Job, meter: Meter, shard: int | None = None) -> None:
        self._worker, self._job, self._meter, self._shard = worker, job, meter, shard
        self._written = time.monotonic()
        self._version = job.model_version
        self.rows = 0

    def __call__(self, rows: int, version: str | None) -> None:
        self.rows += rows
        self._meter.tick()
        if version not in (None, self._version):
            self._version = str(version)
            self.write(model_version=version)  # redeployed since the file was claimed
        elif self._is_due():
            self.write(code=None, message=None)

    def wait(self, error: BusyError | None) -> None:
        """No answer yet: the table says what is waited for, and whether there is still any use in it."""
        self._meter.tick()
        if self._is_due():
            self.write(**({"code": error.code, "message": error.message} if error else {}))

    def _is_due(self) -> bool:
        return time.monotonic() - self._written >= (PROGRESS_SECONDS if self._shard is None else SHARD_SECONDS)

    def write(self, **more: object) -> None:
        self._written = time.monotonic()
        table, job = self._worker.table, self._job
        more["status"] = State.RUNNING
        if self._shard is None and job.shards == 1:
            more["rows_scored"] = self.rows
        if not (table.report(job, **more) if self._shard is None else table.note(job, **more)):
            raise SupersededError(
                "SUPERSEDED", f"job {job.job_id} has ended or another attempt owns it; this one stops"
            )

    def shard_done(self, rows: int) -> None:
        """Adds a shard's rows to the job's progress, once the part counts."""
        self._meter.count(ShardsDone=1)
        self._worker.table.advance(self._job, rows)
