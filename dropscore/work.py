"""One attempt at one job: own it, read its version, score it, publish it, say how it ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from dropscore.allowance import Allowance, Borne, errors_csv
from dropscore.aws.endpoint import Endpoint
from dropscore.aws.source import Source
from dropscore.aws.table import JobsTable
from dropscore.errors import JobError, PermanentError, RejectedError, SupersededError, TransientError
from dropscore.jobs import Job, State, now
from dropscore.lines import Limit
from dropscore.log import log
from dropscore.pace import Retry
from dropscore.publish import Output
from dropscore.routes import Model, errors_key
from dropscore.runtime import WorkerSettings
from dropscore.scorer import Invoke, Scored, Scorer

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient

PROGRESS_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Worker:
    settings: WorkerSettings
    table: JobsTable
    s3: S3Client
    runtime: SageMakerRuntimeClient
    retry: Retry = field(default_factory=Retry)

    def attempt(self, job_id: str) -> Job | None:
        """Runs the job to its end. None where another attempt owns it or it has ended: then nothing was written.

        Raises the JobError that ended the attempt after it has been written to the jobs table.
        """
        job = self._own(job_id)
        if job is None:
            return None
        try:
            rows, rejected = self._score(job)
        except SupersededError as error:
            log("superseded", job_id=job_id, why=error.message)
            return None
        except JobError as error:
            self._say(job, error)
            raise
        counts = {"rows": rows, "rows_scored": rows - rejected, "rows_rejected": rejected}
        self._report(job, status=State.SUCCEEDED, finished_at=now(), **counts)
        log("succeeded", job_id=job_id, output_key=job.output_key, **counts)
        return job.move_to(State.SUCCEEDED, **counts)

    def _own(self, job_id: str) -> Job | None:
        mine = {"batch_job_id": self.settings.batch_job_id, "attempt": self.settings.attempt}
        if self.table.start(job_id, **mine, started_at=now()):  # type: ignore[arg-type]
            log("started", job_id=job_id, **mine)
            return self.table.find(job_id)
        log("superseded", job_id=job_id, why="the job has ended or another attempt owns it", **mine)
        return None

    def _score(self, job: Job) -> tuple[int, int]:
        """Publishes the job's scores; how many rows there are, and how many of them are bad."""
        bucket = self.settings.bucket
        output = Output(self.s3, bucket=bucket, key=job.output_key, job_id=job.job_id)
        if output.is_published():
            return output.count_rows()
        model = self._model(job)
        source = Source(self.s3, bucket=bucket, key=job.file, version_id=job.version_id)
        progress = _Progress(self, job)
        endpoint = Endpoint(self.runtime, model.endpoint)
        borne = Borne(self._allowance(job))
        scores = borne.watch(self._scores(source, model, endpoint, borne.allowance.most_in_a_body))
        output.publish(chain(progress.watch(scores, endpoint), self._list_bad_rows(job, borne)))
        return borne.rows, len(borne.bad)

    def _list_bad_rows(self, job: Job, borne: Borne) -> Iterator[bytes]:
        """Adds no scores, but publishes the list of bad rows after the last score and before the output appears."""
        if borne.bad:
            key = errors_key(job.output_key)
            listed = Output(self.s3, bucket=self.settings.bucket, key=key, job_id=job.job_id)
            listed.publish([errors_csv(borne.bad)])
        yield b""

    def _scores(self, source: Source, model: Model, invoke: Invoke, most_bad_rows: int) -> Iterator[Scored]:
        """Scores, a body at a time. Raises RejectedError on an empty file."""
        limit = self._limit(model)
        known = limit.bytes
        scorer = Scorer(
            invoke=invoke,
            limit=limit,
            in_flight=self.settings.in_flight,
            most_bad_rows=most_bad_rows,
            retry=self.retry,
        )
        empty = True
        for scored in scorer.score(source.chunks()):
            empty = False
            if limit.bytes < known:
                known = limit.bytes
                self.table.learn_body_limit(model.name, model.version, known)
            yield scored
        if empty:
            raise RejectedError("EMPTY_FILE", "the file has no rows; upload one that has")

    def _allowance(self, job: Job) -> Allowance:
        """As the route says now; a route that is gone bears no bad rows."""
        route = self.settings.routes.get(job.route)
        return Allowance.parse(route.max_bad_rows if route else 0)

    def _limit(self, model: Model) -> Limit:
        limit = Limit(model.body_limit_bytes)
        learned = self.table.body_limit(model.name, model.version)
        if learned is not None:
            limit.bytes = min(limit.bytes, learned)
        return limit

    def _model(self, job: Job) -> Model:
        try:
            return self.settings.models[job.model]
        except KeyError:
            raise PermanentError(
                "MODEL_MISSING", f"model {job.model!r} is no longer deployed; deploy it or upload the file again"
            ) from None

    def _say(self, job: Job, error: JobError) -> None:
        """Writes why the attempt ended; the job itself ends only where trying again cannot help."""
        said: dict[str, str] = {"code": error.code, "message": error.message}
        if isinstance(error, PermanentError):
            said["status"] = State.REJECTED if isinstance(error, RejectedError) else State.FAILED
            said["finished_at"] = now()
        self._report(job, **said)
        log(
            "failed",
            job_id=job.job_id,
            code=error.code,
            why=error.message,
            is_final=not isinstance(error, TransientError),
        )

    def _report(self, job: Job, **attributes: object) -> None:
        if not self.table.report(job, **attributes):
            log("superseded", job_id=job.job_id, why="this attempt no longer owns the job; its word was not written")


class _Progress:
    """Counts rows as they pass, writes the count to the jobs table now and then, stops an attempt that lost the job."""

    def __init__(self, worker: Worker, job: Job) -> None:
        self._worker, self._job = worker, job
        self._written = time.monotonic()
        self.rows = 0

    def watch(self, scores: Iterator[Scored], endpoint: Endpoint) -> Iterator[bytes]:
        for scored in scores:
            if not self.rows and endpoint.version not in (None, self._job.model_version):
                self._write(model_version=endpoint.version)  # redeployed since the file was claimed
            self.rows += scored.rows
            if time.monotonic() - self._written >= PROGRESS_SECONDS:
                self._write()
            yield scored.lines
        self._write()  # the last moment: an attempt that was replaced while it stalled publishes nothing

    def _write(self, **more: str | None) -> None:
        self._written = time.monotonic()
        if not self._worker.table.report(self._job, rows_scored=self.rows, **more):
            raise SupersededError("SUPERSEDED", f"another attempt owns job {self._job.job_id}; this one stops")
