"""A job's output: it appears whole, once, or not at all, and what belongs beside it follows from it.

Before the one conditional write that makes the scores visible, the list of bad rows and the manifest are put aside
under parts/, and the output's own metadata names them. So whoever finds the output published, in whichever attempt,
can bring exactly what belongs to these scores and to no others.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dropscore.aws import objects, reading
from dropscore.errors import PermanentError
from dropscore.jobs.job import Job
from dropscore.jobs.routes import errors_key, manifest_key
from dropscore.output.parts import Parts

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Manifest = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Publication:
    s3: S3Client
    bucket: str
    job: Job
    record_key: str

    @classmethod
    def of(cls, s3: S3Client, bucket: str, job: Job) -> Publication:
        record_key = Parts(s3=s3, bucket=bucket, job=job).new_key("record.json")
        return cls(s3=s3, bucket=bucket, job=job, record_key=record_key)

    def writer(self) -> objects.Writer:
        """For the scores; nothing is visible of them before `commit`."""
        said = {"job-id": self.job.job_id, "record": self.record_key}
        return objects.Writer(self.s3, bucket=self.bucket, key=self.job.output_key, metadata=said)

    def commit(self, scores: objects.Writer, errors: objects.Writer | None, manifest: Manifest) -> Manifest:
        """Publishes the scores and what belongs beside them; the manifest of what is published now.

        That is another attempt's where it was faster. Raises PermanentError OUTPUT_EXISTS where it is a stranger's.
        """
        if errors is not None:
            errors.commit()
        record = {"manifest": manifest, "errors": errors.key if errors else None}
        objects.put(self.s3, bucket=self.bucket, key=self.record_key, data=json.dumps(record).encode())
        scores.commit()
        published = self.finish()
        if published is None:
            raise PermanentError(
                "OUTPUT_EXISTS", f"{self._name} vanished as soon as it was written; who deletes there?"
            )
        return published

    def finish(self) -> Manifest | None:
        """Brings what belongs beside the output, if that is published; None if not. Doing it again changes nothing."""
        said = reading.metadata(self.s3, bucket=self.bucket, key=self.job.output_key)
        if said is None:
            return None
        if said.get("job-id") != self.job.job_id:
            raise PermanentError(
                "OUTPUT_EXISTS", f"{self._name} is there already and not of this job; it was left alone"
            )
        return self._brought() or self._bring(self._json(said["record"]))

    def _brought(self) -> Manifest | None:
        """The manifest, if it stands beside the output: all else was brought before it."""
        key = manifest_key(self.job.output_key)
        is_there = reading.metadata(self.s3, bucket=self.bucket, key=key) is not None
        return self._json(key) if is_there else None

    def _bring(self, record: dict[str, Any]) -> Manifest:
        manifest: Manifest = record["manifest"]
        if record["errors"]:
            self._bring_errors(record["errors"], manifest["errors"]["bytes"])
        text = json.dumps(manifest, indent=2, ensure_ascii=False).encode() + b"\n"
        objects.put(self.s3, bucket=self.bucket, key=manifest_key(self.job.output_key), data=text)
        return manifest

    def _bring_errors(self, key: str, size_bytes: int) -> None:
        with objects.Writer(self.s3, bucket=self.bucket, key=errors_key(self.job.output_key)) as listed:
            listed.copy(key, size_bytes)
            listed.commit()

    def _json(self, key: str) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(b"".join(reading.read(self.s3, bucket=self.bucket, key=key)))
        return said

    @property
    def _name(self) -> str:
        return f"s3://{self.bucket}/{self.job.output_key}"


def told_by(manifest: Manifest) -> dict[str, Any]:
    """What the jobs table says of a published output: its rows, and the model that scored them."""
    rows = manifest["rows"]
    return {
        "rows": rows["in"],
        "rows_scored": rows["scored"],
        "rows_rejected": rows["rejected"],
        "rows_empty": rows.get("empty", 0),
        "model_version": manifest["model"]["version"],
    }
