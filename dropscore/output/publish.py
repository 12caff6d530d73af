"""A job's output: it appears whole and once, or not at all, and so do the objects beside it.

Before the one conditional write that makes the scores visible, the list of bad rows and the manifest are kept under
parts/, and the output's own metadata names them. So any attempt that finds the output published can write beside it
exactly what belongs to these scores.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from dropscore.aws import objects, reading
from dropscore.errors import PermanentError
from dropscore.jobs.job import Job
from dropscore.jobs.routes import errors_key, manifest_key
from dropscore.output.manifest import Manifest
from dropscore.output.parts import Parts

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Record(TypedDict):
    """What belongs beside an output: its manifest, and the key of its list of bad rows, None if no row was bad."""

    manifest: Manifest
    errors: str | None


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
        """A writer for the scores. None of them is visible before `commit`."""
        metadata = {"job-id": self.job.job_id, "record": self.record_key}
        return objects.Writer(self.s3, bucket=self.bucket, key=self.job.output_key, metadata=metadata)

    def commit(self, scores: objects.Writer, errors: objects.Writer | None, manifest: Manifest) -> Manifest:
        """Publishes the scores and what belongs beside them. Returns the manifest of what is published then.

        That may be another attempt's, if it was faster. Raises PermanentError OUTPUT_EXISTS if another job's output is
        at the key.
        """
        # This order must not change: all that the output's metadata leads to exists before the output is visible.
        if errors is not None:
            errors.commit()
        record: Record = {"manifest": manifest, "errors": errors.key if errors else None}
        objects.put(self.s3, bucket=self.bucket, key=self.record_key, data=json.dumps(record).encode())
        scores.commit()
        # The commit may have found the output of another attempt. What is published decides, not what was written here.
        published = self.finish()
        if published is None:
            raise PermanentError(
                "OUTPUT_EXISTS", f"{self._name} was deleted as soon as it was written; find out what deletes there"
            )
        return published

    def finish(self) -> Manifest | None:
        """If the output is published, writes what belongs beside it and returns its manifest. Safe to repeat.

        Raises PermanentError OUTPUT_EXISTS if another job's output is at the key.
        """
        metadata = reading.metadata(self.s3, bucket=self.bucket, key=self.job.output_key)
        if metadata is None:
            return None
        if metadata.get("job-id") != self.job.job_id:
            raise PermanentError("OUTPUT_EXISTS", f"{self._name} exists and belongs to another job; it was not changed")
        return self._existing_manifest() or self._write_beside(self._json(metadata["record"]))

    def _existing_manifest(self) -> Manifest | None:
        """The manifest beside the output, if it is there: everything else was written before it."""
        key = manifest_key(self.job.output_key)
        if reading.metadata(self.s3, bucket=self.bucket, key=key) is None:
            return None
        manifest: Manifest = self._json(key)
        return manifest

    def _write_beside(self, record: Record) -> Manifest:
        manifest = record["manifest"]
        # The manifest comes last: `_existing_manifest` takes it as proof that the list of rejected rows exists.
        if record["errors"] and manifest["errors"]:
            self._write_errors(record["errors"], manifest["errors"]["bytes"])
        text = json.dumps(manifest, indent=2, ensure_ascii=False).encode() + b"\n"
        objects.put(self.s3, bucket=self.bucket, key=manifest_key(self.job.output_key), data=text)
        return manifest

    def _write_errors(self, key: str, size_bytes: int) -> None:
        with objects.Writer(self.s3, bucket=self.bucket, key=errors_key(self.job.output_key)) as errors:
            errors.copy(key, size_bytes)
            errors.commit()

    def _json(self, key: str) -> Any:
        return json.loads(b"".join(reading.read(self.s3, bucket=self.bucket, key=key)))

    @property
    def _name(self) -> str:
        return f"s3://{self.bucket}/{self.job.output_key}"
