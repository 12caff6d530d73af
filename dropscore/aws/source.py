"""Reads one version of one object in S3, in ranges and in bounded memory, and reopens broken connections."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from dropscore.aws.faults import AWS_ERRORS, AwsError, fault
from dropscore.aws.reading import code_of
from dropscore.errors import JobError, PermanentError, TransientError

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client

CHUNK_BYTES = 1 << 20
# S3 answers MethodNotAllowed if the version id is that of a delete marker.
_GONE = {"NoSuchKey", "NoSuchVersion", "NoSuchBucket", "404", "MethodNotAllowed"}


class Source:
    """One version of one object."""

    def __init__(self, s3: S3Client, *, bucket: str, key: str, version_id: str) -> None:
        self._s3 = s3
        self._object: dict[str, Any] = {"Bucket": bucket, "Key": key, "VersionId": version_id}
        self._name = f"s3://{bucket}/{key} (version {version_id})"

    def chunks(self, start: int = 0, stop: int | None = None, *, reopenings: int = 5) -> Iterator[bytes]:
        """The bytes from `start` up to `stop` or the object's end, whichever comes first.

        A broken connection is reopened at the same byte, up to `reopenings` times without progress. Never reads another
        version: raises PermanentError INPUT_NOT_FOUND if this one no longer exists. Raises TransientError READ_BROKEN.
        """
        if stop is not None and stop <= start:
            return  # S3 ignores such a range and returns the whole object
        position, failures = start, 0
        try:
            stream, end = self._open(position, stop)
        except _PastTheEndError:
            return
        while position < end:
            chunk = _read(stream)
            if chunk:
                failures = 0
                position += len(chunk)
                yield chunk
            elif (failures := failures + 1) > reopenings:
                raise TransientError(
                    "READ_BROKEN", f"{self._name}: the connection broke at byte {position} {failures} times in a row"
                )
            else:
                stream, end = self._open(position, stop)

    def _open(self, position: int, stop: int | None) -> tuple[StreamingBody, int]:
        """A stream from `position` on, and the byte after its end. `IfMatch` holds all ranges to one object."""
        last = "" if stop is None else str(stop - 1)
        try:
            answer = self._s3.get_object(**self._object, Range=f"bytes={position}-{last}")
        except AWS_ERRORS as error:
            raise self._refusal(error) from error
        self._object["IfMatch"] = answer["ETag"]
        # A proxy that ignores ranges returns the object from its first byte: rows would be read twice.
        if not answer.get("ContentRange", "").startswith(f"bytes {position}-"):
            raise PermanentError(
                "RANGE_IGNORED",
                f"{self._name}: S3 returned {answer.get('ContentRange')} instead of the bytes from {position} on; "
                "run `dropscore retry`",
            )
        return answer["Body"], position + answer["ContentLength"]

    def _refusal(self, error: AwsError) -> JobError:
        if _code(error) == "InvalidRange":
            return _PastTheEndError("READ_BROKEN", f"{self._name} ends before the requested byte")
        if _code(error) in _GONE:
            return PermanentError("INPUT_NOT_FOUND", f"{self._name} was deleted; upload the file again to score it")
        if _code(error) == "PreconditionFailed":
            return PermanentError(
                "INPUT_CHANGED",
                f"{self._name} changed while it was read; nothing was published. Upload it again",
            )
        return fault(error, f"reading {self._name}")


class _PastTheEndError(TransientError):
    """There is no such byte: the object is empty, or ends before `start`."""


def _code(error: AwsError) -> str | None:
    return code_of(error) if isinstance(error, ClientError) else None


def _read(stream: StreamingBody) -> bytes:
    """The next chunk; empty if the connection broke."""
    try:
        return stream.read(CHUNK_BYTES)
    except (*AWS_ERRORS, OSError):
        return b""
