"""Finds, on a schedule, inputs and jobs that events missed, and repairs them.

There are three cases: versions of inputs without a job; claimed jobs that never reached AWS Batch; and jobs whose Batch
jobs have ended but which have no final status. Repairs use the same conditional writes as the events, so they are safe
to repeat. A repair that fails does not stop the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from dropscore.aws import reading
from dropscore.aws.faults import AWS_ERRORS
from dropscore.aws.table import JobsTable
from dropscore.clock import seconds_between, timestamp
from dropscore.errors import JobError
from dropscore.events.submit import Submitter, Upload
from dropscore.events.track import LOST, BatchChange, track
from dropscore.jobs.input_keys import why_ignored
from dropscore.jobs.job import Job, State
from dropscore.log import ERROR, WARNING, log
from dropscore.metrics import emit
from dropscore.output.manifest import Manifest
from dropscore.output.publish import Publication
from dropscore.settings import ReconcileSettings
from schema.keys import INPUT

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient
    from mypy_boto3_s3 import S3Client

BATCH_SIZE = 100  # the most that DynamoDB and Batch accept in one request
LOST_AFTER = timedelta(days=1)  # Batch keeps ended jobs for a week, and may not list new jobs at once
T = TypeVar("T")
Repair = Callable[[], object]
"""Repairs one input or job; returns False if there was nothing to repair."""
OPEN = (State.SUBMITTED, State.RUNNING)


@dataclass(frozen=True, kw_only=True)
class Reconciliation:
    settings: ReconcileSettings
    table: JobsTable
    s3: S3Client
    batch: BatchClient
    submitter: Submitter

    def run(self, moment: datetime) -> dict[str, int]:
        """Repairs inputs and jobs older than the grace period. Returns the number of repairs of each case.

        Raises the first error that occurred, after all other repairs.
        """
        before, errors = moment - timedelta(minutes=self.settings.grace_minutes), list[Exception]()
        found = {
            "ended": _count(self._end_finished(before, timestamp(moment - LOST_AFTER)), errors),
            "unsubmitted": _count(self._submit_claimed(before), errors),
            "lost": _count(self._submit_lost(moment - timedelta(hours=self.settings.window_hours), before), errors),
        }
        log("reconciled", **found, failed=len(errors))
        self._measure(moment, sum(found.values()), len(errors))
        if errors:
            raise errors[0]
        return found

    def _submit_lost(self, after: datetime, before: datetime) -> Iterator[Repair]:
        """Repairs for versions of inputs that were uploaded between the two times and have no job."""
        for uploads in _batches(self._uploads(after, before)):
            existing_ids = self.table.existing_ids([upload.job_id for upload in uploads])
            for upload in uploads:
                if upload.job_id not in existing_ids:
                    log("lost", WARNING, job_id=upload.job_id, key=upload.key, version_id=upload.version_id)
                    yield partial(self.submitter.submit, upload)

    def _uploads(self, after: datetime, before: datetime) -> Iterator[Upload]:
        for page in reading.version_pages(self.s3, bucket=self.settings.bucket, prefix=INPUT):
            for version in page:
                if why_ignored(version["Key"]) is None and after <= version["LastModified"].astimezone(UTC) <= before:
                    yield Upload(
                        bucket=self.settings.bucket,
                        key=version["Key"],
                        version_id=version["VersionId"],
                        size_bytes=version["Size"],
                    )

    def _submit_claimed(self, before: datetime) -> Iterator[Repair]:
        """Repairs for jobs that are not in Batch: claimed only, or with running shards and no publishing job."""
        for state in (State.CLAIMED, State.RUNNING):
            for job in self._jobs_older(state, before):
                if job.batch_job_id is None:
                    log("unsubmitted", WARNING, job_id=job.job_id, key=job.file)
                    yield partial(self.submitter.submit_claimed, job)

    def _end_finished(self, before: datetime, lost_before: str) -> Iterator[Repair]:
        """Repairs for jobs that Batch has ended, or has forgotten, and that have no final status."""
        open_jobs = (job for state in OPEN for job in self._jobs_older(state, before) if job.batch_job_id)
        for jobs in _batches(open_jobs):
            described = self.batch.describe_jobs(jobs=[job.batch_job_id for job in jobs if job.batch_job_id])["jobs"]
            by_id: dict[str, Any] = {found["jobId"]: found for found in described}
            yield from (partial(self._end_job, job, by_id.get(job.batch_job_id or ""), lost_before) for job in jobs)

    def _end_job(self, job: Job, described: Any, lost_before: str) -> bool:
        if described is None and job.submitted_at > lost_before:
            return False
        if described is None:
            described = {"jobId": job.batch_job_id, "status": "FAILED", "statusReason": LOST}
        # The same path as an event of Batch takes, so that both end a job under the same conditions.
        detail = {**described, "parameters": {"job_id": job.job_id, "run": str(job.run)}}
        return track(BatchChange.from_event({"detail": detail}), self.table, self._finish)

    def _finish(self, job: Job) -> Manifest | None:
        return Publication.of(self.s3, self.settings.bucket, job).finish()

    def _measure(self, moment: datetime, findings: int, failed: int) -> None:
        waiting, running = self._oldest(moment, State.CLAIMED, State.SUBMITTED), self._oldest(moment, State.RUNNING)
        values = {"OldestWaiting": waiting, "OldestUnfinished": max(waiting, running)}
        emit({"ReconcileRepairs": findings, "RepairsFailed": failed, **values}, environment=self.settings.environment)

    def _oldest(self, moment: datetime, *states: State) -> float:
        """Seconds since the oldest job with any of the statuses was submitted; 0 if there is none."""
        jobs = [job for state in states if (job := self.table.oldest(state))]
        return max((seconds_between(job.submitted_at, timestamp(moment)) for job in jobs), default=0.0)

    def _jobs_older(self, state: State, before: datetime) -> Iterator[Job]:
        return self.table.all_by_status(state, until=timestamp(before))


def _count(repairs: Iterable[Repair], errors: list[Exception]) -> int:
    """The number of repairs that succeeded. Appends the errors of the others to `errors`."""
    count, rest = 0, iter(repairs)
    while True:
        try:
            repair = next(rest, None)  # an error of the search itself ends it, but not the searches after it
            if repair is None:
                return count
            count += repair() is not False
        except (JobError, *AWS_ERRORS) as error:
            log("unmended", ERROR, why=str(error))
            errors.append(error)


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, BATCH_SIZE)):
        yield batch
