"""Before Batch hears of a file: its options, and whether there is any hope for it. Seconds instead of minutes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from dropscore.aws.faults import fault
from dropscore.aws.source import Source
from dropscore.errors import ConfigurationError, RejectedError
from dropscore.files.feature_names import read_names
from dropscore.files.input import Input, layout_of
from dropscore.jobs.job import Job, now
from dropscore.jobs.options import MOST_SIDECAR_BYTES, Options, Sidecar, sidecar
from dropscore.jobs.routes import Model, Route, is_packed, manifest_key, output_key, sidecar_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_s3 import S3Client


MOST_KEY_BYTES = 1024  # S3's own


@dataclass(frozen=True, kw_only=True)
class Preflight:
    s3: S3Client
    bucket: str
    models: Mapping[str, Model]

    def options(self, key: str, route: Route) -> tuple[Options, str]:
        """The options of one file and the name of its model: the route's, and its sidecar's word over them.

        Raises RejectedError INVALID_OPTIONS for a sidecar that cannot be followed, KEY_TOO_LONG for a file whose scores and
        manifest could not be named after it.
        """
        _check_length(key)
        try:
            said = self._sidecar(sidecar_key(key))
            options = route.options.overridden(said.options, sidecar_key(key)) if said.options else route.options
        except ConfigurationError as error:
            raise RejectedError("INVALID_OPTIONS", f"{error}; mend it, then upload the file again") from None
        model = said.model or route.model
        if model not in self.models:
            known = ", ".join(sorted(self.models))
            raise RejectedError("INVALID_OPTIONS", f"{sidecar_key(key)}: model: {model!r} is none of {known}")
        return options, model

    def check(self, job: Job) -> None:
        """Reads the file's first bytes. Raises RejectedError where no row of it could be scored."""
        source = Source(self.s3, bucket=self.bucket, key=job.file, version_id=job.version_id)
        text = Input(source=source, is_packed=is_packed(job.file))
        model = self.models[job.model]
        layout_of(text, job.parsed_options, model.features, read_names(self.s3, model))

    def _sidecar(self, key: str) -> Sidecar:
        try:
            body = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"]
        except ClientError as error:
            if error.response["Error"].get("Code") in ("NoSuchKey", "404"):
                return Sidecar({}, None)
            raise fault(error, f"reading s3://{self.bucket}/{key}") from error
        return sidecar(body.read(MOST_SIDECAR_BYTES + 1), key)


def _check_length(key: str) -> None:
    longest = len(manifest_key(output_key(key, now(), "0" * 32)).encode())
    if longest > MOST_KEY_BYTES:
        raise RejectedError(
            "KEY_TOO_LONG",
            f"the keys that belong to the file would have up to {longest} bytes, and S3 takes {MOST_KEY_BYTES}; "
            f"upload it under a key that is {longest - MOST_KEY_BYTES} bytes shorter",
        )
