"""What `submit` finds out about an input before a worker starts: an input without hope ends in seconds, not minutes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from dropscore.aws.faults import fault
from dropscore.aws.source import Source
from dropscore.clock import now
from dropscore.errors import ConfigurationError, RejectedError
from dropscore.files.feature_names import read_names
from dropscore.files.input import Input, layout_of
from dropscore.jobs.job import Job
from dropscore.jobs.options import MAX_JOB_OPTIONS_BYTES, JobOptionsFile, Options, parse_job_options
from dropscore.jobs.routes import Route, is_compressed, job_options_key, manifest_key, output_key
from dropscore.settings import SubmitSettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_KEY_BYTES = 1024  # S3's own limit


@dataclass(frozen=True, kw_only=True)
class Preflight:
    s3: S3Client
    settings: SubmitSettings

    def resolve(self, key: str, route: Route) -> tuple[Options, str]:
        """The options and the model's name for an input: the route's, overridden by its job options file.

        Raises RejectedError: NOT_AN_INPUT if the key matches no pattern, KEY_TOO_LONG if its output could not be named
        after it, INVALID_OPTIONS if the job options file is wrong.
        """
        if not self.settings.inputs.has(key):
            raise RejectedError("NOT_AN_INPUT", f"{self.settings.inputs.mismatch}, then `dropscore retry` it")
        _check_length(key)
        file_key = job_options_key(key)
        try:
            file = self._job_options(file_key)
            options = route.options.overridden(file.options, file_key) if file.options else route.options
        except ConfigurationError as error:
            raise RejectedError("INVALID_OPTIONS", f"{error}; correct it, then upload the input again") from None
        model = file.model or route.model
        if model not in self.settings.models:
            available = ", ".join(sorted(self.settings.models))
            raise RejectedError("INVALID_OPTIONS", f"{file_key}: unknown model {model!r}; available: {available}")
        return options, model

    def look(self, job: Job) -> None:
        """Reads the input's first bytes. Raises RejectedError if no row of it could be scored."""
        source = Source(self.s3, bucket=self.settings.bucket, key=job.file, version_id=job.version_id)
        input_text = Input(source=source, is_compressed=is_compressed(job.file))
        model = self.settings.models[job.model]
        layout_of(input_text, job.parsed_options, model.features, read_names(self.s3, model))

    def _job_options(self, key: str) -> JobOptionsFile:
        bucket = self.settings.bucket
        try:
            body = self.s3.get_object(Bucket=bucket, Key=key)["Body"]
        except ClientError as error:
            if error.response["Error"].get("Code") in ("NoSuchKey", "404"):
                return JobOptionsFile({}, None)
            raise fault(error, f"reading s3://{bucket}/{key}") from error
        # One byte over the limit tells a file that is too long from one of exactly that length.
        return parse_job_options(body.read(MAX_JOB_OPTIONS_BYTES + 1), key)


def _check_length(key: str) -> None:
    # Any time and id will do: theirs always have the same length, and the manifest's key is the longest of all.
    longest = len(manifest_key(output_key(key, now(), "0" * 32)).encode())
    if longest > MAX_KEY_BYTES:
        raise RejectedError(
            "KEY_TOO_LONG",
            f"the keys of the output would have up to {longest} bytes, and S3 allows {MAX_KEY_BYTES}; "
            f"use a key that is {longest - MAX_KEY_BYTES} bytes shorter",
        )
