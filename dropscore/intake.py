"""An upload becomes a job: claimed once, then handed to AWS Batch."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dropscore.aws.table import JobsTable
from dropscore.jobs import Job, State, job_id, now
from dropscore.log import log
from dropscore.routes import Model, Route, is_input, output_key, route_of
from dropscore.runtime import SubmitSettings

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient

DAY_SECONDS = 86_400


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


class Intake:
    def __init__(self, settings: SubmitSettings, table: JobsTable, batch: BatchClient) -> None:
        self._settings = settings
        self._table = table
        self._batch = batch

    def take(self, upload: Upload) -> str | None:
        """Claims the upload and submits one Batch job. Returns the job's id; None where the key is not an input.

        Taking the same upload again changes nothing. A claim whose submission was cut short is submitted again, at
        worst twice: the worker's own claim lets one Batch job through.
        """
        if upload.bucket != self._settings.bucket or not is_input(upload.key):
            log("ignored", key=upload.key, why="not a .csv file under input/ of the bucket")
            return None
        route = route_of(upload.key, self._settings.routes)
        job = self._job(upload, route, self._settings.models[route.model])
        if not self._table.claim(job):
            seen = self._table.find(job.job_id)
            if seen is None or seen.status is not State.CLAIMED:
                log("duplicate", job_id=job.job_id, key=upload.key)
                return job.job_id
        self._submit(job)
        return job.job_id

    def _job(self, upload: Upload, route: Route, model: Model) -> Job:
        submitted_at, days = now(), self._settings.job_ttl_days
        return Job(
            job_id=upload.job_id,
            file=upload.key,
            version_id=upload.version_id,
            route=route.name,
            model=model.name,
            model_version=model.version,
            status=State.CLAIMED,
            submitted_at=submitted_at,
            output_key=output_key(upload.key, submitted_at),
            size_bytes=upload.size_bytes,
            expires_at=int(time.time()) + days * DAY_SECONDS if days else None,
        )

    def _submit(self, job: Job) -> None:
        answer = self._batch.submit_job(
            jobName=f"score-{job.job_id}",
            jobQueue=self._settings.job_queue,
            jobDefinition=self._settings.job_definition,
            parameters={"job_id": job.job_id},
        )
        self._table.submitted(job.job_id, answer["jobId"])
        log("submitted", job_id=job.job_id, batch_job_id=answer["jobId"], key=job.file, size_bytes=job.size_bytes)
