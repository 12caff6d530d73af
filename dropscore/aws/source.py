"""One version of one object in S3, read once from start to end in bounded memory, whatever the connection does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from dropscore.aws.faults import fault
from dropscore.errors import JobError, PermanentError, TransientError

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client

CHUNK_BYTES = 1 << 20
_GONE = {"NoSuchKey", "NoSuchVersion", "NoSuchBucket", "404", "MethodNotAllowed"}


class Source:
    def __init__(self, s3: S3Client, *, bucket: str, key: str, version_id: str) -> None:
        self._s3 = s3
        self._object = {"Bucket": bucket, "Key": key, "VersionId": version_id}
        self._name = f"s3://{bucket}/{key} (version {version_id})"

    def chunks(self, *, reopenings: int = 5) -> Iterator[bytes]:
        """The object's bytes. A broken connection is opened again where it broke, `reopenings` times without progress.

        Raises PermanentError SOURCE_GONE where this version is no more; never reads another one.
        """
        position, failures = 0, 0
        stream, size = self._open(0)
        while position < size:
            chunk = _read(stream)
            if chunk:
                failures = 0
                position += len(chunk)
                yield chunk
            elif (failures := failures + 1) > reopenings:
                raise TransientError(
                    "READ_BROKEN", f"{self._name}: the connection broke at byte {position} again and again"
                )
            else:
                stream, _ = self._open(position)

    def _open(self, position: int) -> tuple[StreamingBody, int]:
        """The bytes from `position` on, and the size of the whole object."""
        try:
            # A range from the first byte of an empty object cannot be satisfied, so the first request has none.
            ranged = {"Range": f"bytes={position}-"} if position else {}
            answer = self._s3.get_object(**self._object, **ranged)  # type: ignore[arg-type]
        except (ClientError, BotoCoreError) as error:
            raise self._refusal(error) from error
        return answer["Body"], position + answer["ContentLength"]

    def _refusal(self, error: ClientError | BotoCoreError) -> JobError:
        if isinstance(error, ClientError) and error.response["Error"].get("Code") in _GONE:
            return PermanentError(
                "SOURCE_GONE", f"{self._name} has been deleted; upload the file again to have it scored"
            )
        return fault(error, f"reading {self._name}")


def _read(stream: StreamingBody) -> bytes:
    """The next chunk; nothing where the connection broke."""
    try:
        return stream.read(CHUNK_BYTES)
    except (BotoCoreError, OSError):
        return b""
