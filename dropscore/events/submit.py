"""An upload becomes a job: route and options are resolved, the file is looked at, the job is claimed and submitted."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any

from dropscore.aws.table import JobsTable
from dropscore.clock import now
from dropscore.errors import PermanentError, RejectedError
from dropscore.events.preflight import Preflight
from dropscore.jobs.input_keys import why_ignored
from dropscore.jobs.job import Job, State, job_id
from dropscore.jobs.options import Options
from dropscore.jobs.plan import Plan
from dropscore.jobs.routes import Route, is_compressed, output_key, route_of
from dropscore.log import WARNING, log
from dropscore.settings import SubmitSettings

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient
    from mypy_boto3_s3 import S3Client

DAY_SECONDS = 86_400
SHARE = "scoring"
"""The fair share of all jobs: Batch compares priorities within one share only."""
TAG = "dropscore:env"
"""Operators may end only jobs with their deployment's tag: a job's ARN does not show its deployment."""


@dataclass(frozen=True, kw_only=True)
class Upload:
    """One version of one object. `key` is plain text, as EventBridge sends it."""

    bucket: str
    key: str
    version_id: str
    size_bytes: int

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Upload:
        """From S3's `Object Created` event. Raises KeyError if the bucket has no versions: the deployment is broken."""
        s3_object = event["detail"]["object"]
        return cls(
            bucket=event["detail"]["bucket"]["name"],
            key=s3_object["key"],
            version_id=s3_object["version-id"],
            size_bytes=int(s3_object["size"]),
        )

    @property
    def job_id(self) -> str:
        return job_id(self.bucket, self.key, self.version_id)


@dataclass(frozen=True, kw_only=True)
class RetryRequest:
    """How a retry differs from the first run: another model, or only the rows that were rejected."""

    model: str | None = None
    rejected_only: bool = False


class Submitter:
    """Its methods raise JobError, or botocore's own errors, if AWS fails."""

    def __init__(self, settings: SubmitSettings, table: JobsTable, batch: BatchClient, s3: S3Client) -> None:
        self._settings = settings
        self._table = table
        self._batch = batch
        self._preflight = Preflight(s3=s3, settings=settings)

    def submit(self, upload: Upload) -> str | None:
        """Claims the upload and submits it to Batch. Returns the job's id, or None if the object is not an input.

        Safe to repeat: a job that is there stays as it is. If an earlier call ended between claim and submission, the
        claim is submitted now, in the worst case a second time; of two Batch jobs for one job only one gets to work.
        An input that no worker could score becomes a job that has ended, so that its owner learns the reason.
        """
        why = "it is in another bucket" if upload.bucket != self._settings.bucket else why_ignored(upload.key)
        if why:
            log("ignored", key=upload.key, why=why)
            return None
        job = self._job(upload, upload.job_id)
        # One write claims the input and has the result of the preflight: no kill leaves a refused job CLAIMED.
        if self._table.claim(job):
            self._submit_or_log(job)
            return job.job_id
        earlier = self._table.find(job.job_id)
        if earlier is not None and earlier.status is State.CLAIMED:
            self.submit_claimed(earlier)
        else:
            log("duplicate", job_id=job.job_id, key=upload.key)
        return job.job_id

    def submit_claimed(self, job: Job) -> None:
        """Submits all of a job that was claimed but perhaps not submitted: an earlier call may have ended anywhere.

        One Batch job; or for several shards an array, and the job that publishes them when all are done.
        """
        array = None
        if job.shards == 1:
            last = self._batch_job(f"score-{job.job_id}", job)
        else:
            array = self._batch_job(f"score-{job.job_id}", job, arrayProperties={"size": job.shards})
            command = {"command": ["publish", "--job-id", "Ref::job_id"]}
            last = self._batch_job(
                f"publish-{job.job_id}", job, dependsOn=[{"jobId": array}], containerOverrides=command
            )
        # The result does not matter: a worker may have started before this write, and then owns the job already.
        self._table.submitted(job.job_id, last, array)
        log(
            "submitted",
            job_id=job.job_id,
            batch_job_id=last,
            key=job.file,
            size_bytes=job.size_bytes,
            shards=job.shards,
        )

    def retry(self, upload: Upload, request: RetryRequest) -> str:
        """Scores a version again, without an upload. Returns the id of the job that does it.

        A job that FAILED or was REJECTED runs again, with today's options. A job that SUCCEEDED stays as it is: scoring
        it by another model, or scoring its rejected rows, is a separate job. Raises RejectedError if there is nothing
        to retry, or the job is still in progress.
        """
        if why := why_ignored(upload.key):
            raise RejectedError("NOT_AN_INPUT", f"{upload.key!r} is never scored: {why}")
        models = self._settings.models
        if request.model is not None and request.model not in models:
            available = ", ".join(sorted(models))
            raise RejectedError("INVALID_OPTIONS", f"unknown model {request.model!r}; available: {available}")
        earlier = self._table.find(upload.job_id)
        if earlier is not None and earlier.status is State.SUCCEEDED:
            return self._follow_up(upload, earlier, request)
        if request.rejected_only:
            raise RejectedError("NOTHING_TO_RETRY", f"job {upload.job_id} has no scores; retry all of it")
        return self._run_again(self._job(upload, upload.job_id, request.model), earlier)

    def _follow_up(self, upload: Upload, earlier: Job, request: RetryRequest) -> str:
        """A separate job for a version that has scores."""
        if request.rejected_only and not earlier.rows_rejected:
            raise RejectedError("NOTHING_TO_RETRY", f"job {earlier.job_id} has no rejected rows")
        if not request.rejected_only and request.model is None:
            raise RejectedError("NOTHING_TO_RETRY", f"job {earlier.job_id} succeeded; name a model to score it with")
        purpose = "rejected" if request.rejected_only else "model"
        # A job that succeeded never changes, so a repeated retry gets the next number. One that failed runs again.
        for number in count(1):
            identity = job_id(upload.bucket, upload.key, upload.version_id, purpose, request.model or "", str(number))
            previous = self._table.find(identity)
            if previous is None or previous.status is not State.SUCCEEDED:
                break
        rejected_of = earlier.job_id if request.rejected_only else None
        job = replace(self._job(upload, identity, request.model), rejected_of=rejected_of)
        return self._run_again(job, previous)

    def _run_again(self, job: Job, previous: Job | None) -> str:
        if previous is None:
            is_claimed = self._table.claim(job)
        else:
            # The same output key: if the previous run published after all, its output still counts, once.
            job = replace(job, run=previous.run + 1, output_key=previous.output_key)
            is_claimed = self._table.claim_again(job)
        if not is_claimed:
            raise RejectedError("JOB_IN_PROGRESS", f"job {job.job_id} is in progress; retry it after it has ended")
        self._submit_or_log(job)
        return job.job_id

    def _job(self, upload: Upload, identity: str, model: str | None = None) -> Job:
        """The job to claim. If no worker could score the input, it has already ended, with code and message."""
        route = route_of(upload.key, self._settings.routes)
        # The options may be what is wrong. Then this job, without any, carries the reason.
        job = self._new_job(upload, identity, route, Options(), model or route.model)
        try:
            options, named_model = self._preflight.resolve(upload.key, route)
            job = self._new_job(upload, identity, route, options, model or named_model)
            self._preflight.look(job)
        # Other errors are raised, so that Lambda repeats the event and the input is not rejected for an outage.
        except PermanentError as error:
            status = State.REJECTED if isinstance(error, RejectedError) else State.FAILED
            return job.move_to(status, code=error.code, message=error.message, finished_at=now())
        return job

    def _new_job(self, upload: Upload, identity: str, route: Route, options: Options, model_name: str) -> Job:
        model = self._settings.models[model_name]
        is_one_shard = is_compressed(upload.key) or options.escape is not None
        plan = Plan.of(upload.size_bytes, self._settings.shard_bytes, is_one_shard=is_one_shard)
        submitted_at, days = now(), self._settings.job_ttl_days
        return Job(
            job_id=identity,
            file=upload.key,
            version_id=upload.version_id,
            route=route.name,
            model=model.name,
            model_version=model.version,
            status=State.CLAIMED,
            submitted_at=submitted_at,
            output_key=output_key(upload.key, submitted_at, identity),
            size_bytes=upload.size_bytes,
            options=json.dumps(options.as_dict()),
            shards=plan.shards,
            shard_bytes=plan.shard_bytes,
            expires_at=int(time.time()) + days * DAY_SECONDS if days else None,
        )

    def _submit_or_log(self, job: Job) -> None:
        if job.status is State.CLAIMED:
            self.submit_claimed(job)
        else:
            log("refused", WARNING, job_id=job.job_id, key=job.file, code=job.code, why=job.message)

    def _batch_job(self, name: str, job: Job, **more: Any) -> str:
        return self._batch.submit_job(
            jobName=name,
            jobQueue=self._settings.job_queue,
            jobDefinition=self._settings.job_definition,
            shareIdentifier=SHARE,
            schedulingPriorityOverride=route_of(job.file, self._settings.routes).priority,
            # `track` finds the job by its id, and by the run ignores late events of an earlier run.
            parameters={"job_id": job.job_id, "run": str(job.run)},
            tags={TAG: self._settings.environment},
            **more,
        )["jobId"]
