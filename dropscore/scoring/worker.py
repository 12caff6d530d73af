"""What a worker does with a job: score a small input whole, score one shard of a large input, or publish all shards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Unpack

from dropscore.aws.table import JobsTable, JobUpdate
from dropscore.clock import now, seconds_between
from dropscore.errors import JobError, PermanentError, RejectedError, SupersededError, TransientError
from dropscore.jobs.job import Job, State
from dropscore.log import ERROR, WARNING, about, log
from dropscore.metrics import Meter, emit, metered
from dropscore.output.manifest import Manifest, summary_of
from dropscore.output.parts import Part, Parts
from dropscore.output.publish import Publication
from dropscore.scoring.assembly import Assembly
from dropscore.scoring.pace import Retry
from dropscore.scoring.pipeline import Pipeline
from dropscore.scoring.progress import Progress
from dropscore.scoring.tally import ERRORS_HEADER, Tally
from dropscore.settings import WorkerSettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient


@dataclass(frozen=True, kw_only=True)
class Worker:
    """Each public method raises the JobError that ended the attempt, after writing it to the jobs table.

    If the job has ended, or another attempt owns it, the method writes nothing and returns None.
    """

    settings: WorkerSettings
    table: JobsTable
    s3: S3Client
    runtime: SageMakerRuntimeClient
    retry: Retry = field(default_factory=Retry)

    def score(self, job_id: str) -> Job | None:
        """Runs a job of one shard to its end. Returns the job as it SUCCEEDED."""
        job = self._claim(job_id)
        if job is None:
            return None
        with self._attempt(job) as meter:
            publication = Publication.of(self.s3, self.settings.bucket, job)
            # If an earlier attempt was killed between publication and final status, only the status is missing.
            manifest = publication.finish() or self._score_whole(job, publication, meter)
            return self._finish(job, manifest)
        return None  # after a SupersededError, which `_attempt` logs and does not raise

    def publish(self, job_id: str) -> Job | None:
        """Runs a job of many shards to its end, and scores parts that are missing. Returns the job as it SUCCEEDED."""
        # The shards have counted their rows already: taking over the job must not reset the sum.
        job = self._claim(job_id, keep_progress=True)
        if job is None:
            return None
        with self._attempt(job) as meter:
            publication = Publication.of(self.s3, self.settings.bucket, job)
            progress = Progress(self.table, job, meter)
            manifest = publication.finish() or self._assembly(job, meter).publish(publication, progress)
            return self._finish(job, manifest)
        return None

    def score_shard(self, job_id: str, index: int) -> Part | None:
        """Scores shard `index`, unless an earlier attempt did. Returns its part."""
        # Shards have no owner: a part is put once, so a second attempt costs money but changes nothing (decision 0005).
        job = self.table.enter(job_id, started_at=now())
        if job is None:
            log("superseded", job_id=job_id, shard=index, why="the job has ended")
            return None
        with self._attempt(job, shard=index) as meter:
            log("started", job_id=job_id, shard=index, attempt=self.settings.attempt)
            self._measure_wait(job)
            part = self._assembly(job, meter).shard(index, Progress(self.table, job, meter, index))
            log("scored", job_id=job_id, shard=index, rows=part.rows, rows_rejected=part.bad)
            return part
        return None

    def _claim(self, job_id: str, *, keep_progress: bool = False) -> Job | None:
        """The job, which this attempt then owns; None if it has ended or another attempt owns it."""
        batch_job_id, attempt = self.settings.batch_job_id, self.settings.attempt
        is_owner = self.table.start(
            job_id, batch_job_id=batch_job_id, attempt=attempt, started_at=now(), keep_progress=keep_progress
        )
        if is_owner:
            log("started", job_id=job_id, batch_job_id=batch_job_id, attempt=attempt)
            return self.table.find(job_id)
        why = "the job has ended or another attempt owns it"
        log("superseded", job_id=job_id, why=why, batch_job_id=batch_job_id, attempt=attempt)
        return None

    @contextmanager
    def _attempt(self, job: Job, *, shard: int | None = None) -> Iterator[Meter]:
        """Every log line inside names the file, and metrics are written however the attempt ends.

        A JobError is written to the jobs table and raised; a SupersededError is only logged.
        """
        with about(key=job.file, run=job.run), metered(self.settings.environment, job.model) as meter:
            try:
                yield meter
            except SupersededError as error:
                log("superseded", job_id=job.job_id, why=error.message, **_shard(shard))
            except JobError as error:
                self._report_error(job, error, shard)
                raise

    def _measure_wait(self, job: Job) -> None:
        """The time from submission to the first attempt, by the clocks of two machines: good enough for a graph."""
        if self.settings.attempt == 1:
            seconds = max(0.0, seconds_between(job.submitted_at, now()))
            emit({"QueueTime": seconds}, environment=self.settings.environment, model=job.model)

    def _score_whole(self, job: Job, publication: Publication, meter: Meter) -> Manifest:
        """Scores all rows and publishes the output. Returns the manifest of what is published."""
        self._measure_wait(job)
        pipeline, progress = self._pipeline(job, meter), Progress(self.table, job, meter)
        tally = Tally(pipeline.bad_row_limit)
        parts = Parts(s3=self.s3, bucket=self.settings.bucket, job=job)
        with publication.writer() as scores, parts.writer("errors.csv") as errors:
            errors.write(ERRORS_HEADER)
            start, line = pipeline.start_of(0), pipeline.layout.lines_before + 1
            scored = pipeline.run(
                pipeline.rows_from(0, start),
                start,
                scores=scores,
                errors=errors,
                tally=tally,
                progress=progress,
                line=line,
            )
            if not tally.rows:
                raise RejectedError("EMPTY_FILE", "the file has no rows; upload one that has")
            progress.confirm()  # the last moment: an attempt that was replaced while it stalled publishes nothing
            part = scored.as_part(0, start, tally, scores, errors)
            bad_rows = errors if tally.bad else None
            return publication.commit(scores, bad_rows, pipeline.manifest([part], bad_rows))

    def _finish(self, job: Job, manifest: Manifest) -> Job:
        """Writes to the jobs table that the job SUCCEEDED."""
        summary = summary_of(manifest)
        remark = _about_empty_rows(job, summary["rows_empty"])
        self._report(job, status=State.SUCCEEDED, finished_at=now(), code=None, message=remark, **summary)
        log("succeeded", job_id=job.job_id, output_key=job.output_key, **summary)
        return job.move_to(State.SUCCEEDED, **summary)

    def _assembly(self, job: Job, meter: Meter) -> Assembly:
        pipeline = self._pipeline(job, meter)
        parts = Parts(s3=self.s3, bucket=self.settings.bucket, job=job, names=pipeline.matched_names)
        return Assembly(pipeline=pipeline, parts=parts)

    def _pipeline(self, job: Job, meter: Meter) -> Pipeline:
        return Pipeline(
            settings=self.settings,
            table=self.table,
            s3=self.s3,
            runtime=self.runtime,
            job=job,
            meter=meter,
            retry=self.retry,
        )

    def _report_error(self, job: Job, error: JobError, shard: int | None) -> None:
        """Writes why the attempt ended. The job itself ends only if another attempt cannot help."""
        update: JobUpdate = {"code": error.code, "message": error.message}
        # Any other error leaves the job RUNNING: Batch starts the next attempt, or `track` ends the job after the last.
        if isinstance(error, PermanentError):
            update["status"] = State.REJECTED if isinstance(error, RejectedError) else State.FAILED
            update["finished_at"] = now()
        self._report(job, is_shard=shard is not None, **update)
        is_final = not isinstance(error, TransientError)
        level = ERROR if is_final else WARNING
        log("failed", level, job_id=job.job_id, code=error.code, why=error.message, is_final=is_final, **_shard(shard))

    def _report(self, job: Job, *, is_shard: bool = False, **update: Unpack[JobUpdate]) -> None:
        is_written = self.table.note(job, **update) if is_shard else self.table.report(job, **update)
        if not is_written:
            log("superseded", job_id=job.job_id, why="this attempt no longer owns the job; its result was not written")


def _shard(index: int | None) -> dict[str, int]:
    return {} if index is None else {"shard": index}


def _about_empty_rows(job: Job, rows: int) -> str | None:
    """A remark about the empty rows that spreadsheets leave in a file; None if there are none."""
    if not rows:
        return None
    if job.parsed_options.skip_empty_rows:
        return f"{rows} rows with empty cells only were skipped: they have no line in the output"
    return f"{rows} rows hold empty cells only and were sent to the model; skip_empty_rows = true leaves them out"
