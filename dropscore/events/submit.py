"""An upload becomes a job: claimed once, looked at, then handed to AWS Batch."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any

from dropscore.aws.table import JobsTable
from dropscore.errors import PermanentError, RejectedError
from dropscore.events.preflight import Preflight
from dropscore.jobs.input_keys import why_ignored
from dropscore.jobs.job import Job, State, job_id, now
from dropscore.jobs.options import Options
from dropscore.jobs.plan import Plan
from dropscore.jobs.routes import Route, is_packed, output_key, route_of
from dropscore.log import WARNING, log
from dropscore.settings import SubmitSettings

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient
    from mypy_boto3_s3 import S3Client

DAY_SECONDS = 86_400
SHARE = "scoring"
"""All jobs are of one share: Batch compares priorities within a share only, and gives each share its part."""

OF_THE_FILE = frozenset({"INVALID_OPTIONS", "KEY_TOO_LONG", "NOT_AN_INPUT"})
"""The codes known at the claim for which the file itself is at fault; with any other code the job FAILED."""

TAG = "dropscore:env"
"""By it operators may end the jobs of their deployment and no others: a job's ARN does not say whose it is."""


@dataclass(frozen=True, kw_only=True)
class Upload:
    """One version of one object. `key` is plain text, as EventBridge sends it."""

    bucket: str
    key: str
    version_id: str
    size_bytes: int

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Upload:
        """From S3's `Object Created` event. KeyError where the bucket has no versions: that is a broken deployment."""
        thing = event["detail"]["object"]
        return cls(
            bucket=event["detail"]["bucket"]["name"],
            key=thing["key"],
            version_id=thing["version-id"],
            size_bytes=int(thing["size"]),
        )

    @property
    def job_id(self) -> str:
        return job_id(self.bucket, self.key, self.version_id)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a retry asks for: another model, or only the rows that were rejected."""

    model: str | None = None
    rejected_only: bool = False


class Intake:
    def __init__(self, settings: SubmitSettings, table: JobsTable, batch: BatchClient, s3: S3Client) -> None:
        self._settings = settings
        self._table = table
        self._batch = batch
        self._preflight = Preflight(s3=s3, bucket=settings.bucket, models=settings.models)

    def take(self, upload: Upload) -> str | None:
        """Claims the upload and submits it to Batch. Returns the job's id; None where the object is none to score.

        Taking the same upload again changes nothing. A claim whose submission was cut short is submitted again, at
        worst twice: of two jobs for the same file one gets through, and shards are scored once for both. A file that
        is no input, by the settings, gets a job that is rejected at once, so that its owner learns why.
        """
        why = "it lies in another bucket" if upload.bucket != self._settings.bucket else why_ignored(upload.key)
        if why:
            log("ignored", key=upload.key, why=why)
            return None
        job = self._new(upload, upload.job_id)
        if not self._table.claim(job):
            seen = self._table.find(job.job_id)
            if seen is None or seen.status is not State.CLAIMED:
                log("duplicate", job_id=job.job_id, key=upload.key)
                return job.job_id
            job = seen
        self._launch(job)
        return job.job_id

    def submit_again(self, job: Job) -> None:
        """Submits a claim whose submission was cut short: all of it, since which half was, nobody knows."""
        self._launch(job)

    def retry(self, upload: Upload, wish: Wish) -> str:
        """Scores a version again, without an upload; the id of the job that does it.

        A job that FAILED or was REJECTED runs once more, with the route's and the sidecar's options as they are now.
        One that succeeded stays as it is: another model, or its rejected rows, are a job of their own.
        """
        if why := why_ignored(upload.key):
            raise RejectedError("NOT_AN_INPUT", f"{upload.key!r} is never scored: {why}")
        if wish.model is not None and wish.model not in self._settings.models:
            raise RejectedError(
                "INVALID_OPTIONS", f"{wish.model!r} is none of {', '.join(sorted(self._settings.models))}"
            )
        earlier = self._table.find(upload.job_id)
        if earlier is not None and earlier.status is State.SUCCEEDED:
            return self._follow(upload, earlier, wish)
        if wish.rejected_only:
            raise RejectedError("NOTHING_TO_RETRY", f"job {upload.job_id} has no scores; retry all of it")
        return self._run_again(upload, upload.job_id, earlier, wish)

    def _follow(self, upload: Upload, earlier: Job, wish: Wish) -> str:
        """A further job for a version that has its scores."""
        if wish.rejected_only and not earlier.rows_rejected:
            raise RejectedError("NOTHING_TO_RETRY", f"of job {earlier.job_id} no row was rejected")
        if not wish.rejected_only and wish.model is None:
            raise RejectedError("NOTHING_TO_RETRY", f"job {earlier.job_id} succeeded; name a model to score it by that")
        kind = "rejected" if wish.rejected_only else "model"
        for number in count(1):
            identity = job_id(upload.bucket, upload.key, upload.version_id, kind, wish.model or "", str(number))
            seen = self._table.find(identity)
            if seen is None or seen.status is not State.SUCCEEDED:
                break
        return self._run_again(upload, identity, seen, wish, rejected_of=earlier.job_id if wish.rejected_only else None)

    def _run_again(self, upload: Upload, identity: str, seen: Job | None, wish: Wish, **more: str | None) -> str:
        job = replace(self._new(upload, identity, wish.model), **more)  # type: ignore[arg-type]
        if seen is not None:  # what was published under this key by a run that was thought lost still counts, once
            job = replace(job, run=seen.run + 1, output_key=seen.output_key)
        if not (self._table.claim_again(job) if seen else self._table.claim(job)):
            raise RejectedError("JOB_IN_PROGRESS", f"job {identity} is under way; it can be retried once it has ended")
        self._launch(job)
        return identity

    def _new(self, upload: Upload, identity: str, model: str | None = None) -> Job:
        """The job as it is claimed. What refuses the file already now stands in it as code and message.

        So whoever finds a claim that goes no further knows it too, though settings or options may be others by then.
        """
        route = route_of(upload.key, self._settings.routes)
        options, named, code, message = Options(), route.model, None, None
        try:
            options, named = self._options(upload.key, route)
        except PermanentError as error:
            code, message = error.code, error.message
        deployed = self._settings.models[model or named]
        is_one = is_packed(upload.key) or options.escape is not None
        plan = Plan.of(upload.size_bytes, self._settings.shard_bytes, is_packed=is_one)
        submitted_at, days = now(), self._settings.job_ttl_days
        return Job(
            job_id=identity,
            file=upload.key,
            version_id=upload.version_id,
            route=route.name,
            model=deployed.name,
            model_version=deployed.version,
            status=State.CLAIMED,
            submitted_at=submitted_at,
            output_key=output_key(upload.key, submitted_at, identity),
            size_bytes=upload.size_bytes,
            options=json.dumps(options.as_dict()),
            shards=plan.shards,
            shard_bytes=plan.shard_bytes,
            code=code,
            message=message,
            expires_at=int(time.time()) + days * DAY_SECONDS if days else None,
        )

    def _options(self, key: str, route: Route) -> tuple[Options, str]:
        if not self._settings.inputs.has(key):
            raise RejectedError("NOT_AN_INPUT", f"{self._settings.inputs.complaint}, then `dropscore retry` it")
        return self._preflight.options(key, route)

    def _launch(self, job: Job) -> None:
        try:
            if job.status is State.CLAIMED and job.code is not None:
                raise (RejectedError if job.code in OF_THE_FILE else PermanentError)(job.code, job.message or "")
            self._preflight.check(job)
        except PermanentError as error:
            status = State.REJECTED if isinstance(error, RejectedError) else State.FAILED
            self._table.refuse(job, status=status, code=error.code, message=error.message, finished_at=now())
            log("refused", WARNING, job_id=job.job_id, key=job.file, code=error.code, why=error.message)
        else:
            self._submit(job)

    def _submit(self, job: Job) -> None:
        """One Batch job, or an array of shards and the job that publishes them once all are done."""
        if job.shards == 1:
            array, last = None, self._batch_job(f"score-{job.job_id}", job)
        else:
            array = self._batch_job(f"score-{job.job_id}", job, arrayProperties={"size": job.shards})
            command = {"command": ["publish", "--job-id", "Ref::job_id"]}
            last = self._batch_job(
                f"publish-{job.job_id}", job, dependsOn=[{"jobId": array}], containerOverrides=command
            )
        self._table.submitted(job.job_id, last, array)
        log(
            "submitted",
            job_id=job.job_id,
            batch_job_id=last,
            key=job.file,
            size_bytes=job.size_bytes,
            shards=job.shards,
        )

    def _batch_job(self, name: str, job: Job, **more: Any) -> str:
        return self._batch.submit_job(
            jobName=name,
            jobQueue=self._settings.job_queue,
            jobDefinition=self._settings.job_definition,
            shareIdentifier=SHARE,
            schedulingPriorityOverride=route_of(job.file, self._settings.routes).priority,
            parameters={"job_id": job.job_id, "run": str(job.run)},
            tags={TAG: self._settings.environment},
            **more,
        )["jobId"]
