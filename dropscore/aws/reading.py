"""Lists and reads objects in Dropscore's buckets. All functions raise JobError for errors of AWS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from dropscore.aws.faults import AWS_ERRORS, fault
from dropscore.errors import JobError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectTypeDef, ObjectVersionTypeDef

_MISSING = {"404", "NoSuchKey"}  # the reply to a HEAD has no body, so botocore gives the status as the code
_CODE_OF_STATUS = {"409": "ConditionalRequestConflict", "412": "PreconditionFailed", "416": "InvalidRange"}


def read(s3: S3Client, *, bucket: str, key: str, byte_range: tuple[int, int] | None = None) -> Iterator[bytes]:
    """The object in chunks of 1 MiB; `byte_range` is the first byte and the byte after the last."""
    ranged: Any = {"Range": f"bytes={byte_range[0]}-{byte_range[1] - 1}"} if byte_range else {}
    with faults(f"reading s3://{bucket}/{key}"):
        yield from s3.get_object(Bucket=bucket, Key=key, **ranged)["Body"].iter_chunks(1 << 20)


def lines(s3: S3Client, *, bucket: str, key: str) -> Iterator[bytes]:
    """The lines of the object, with their line ends. A last line without one is left out."""
    rest = b""
    for chunk in read(s3, bucket=bucket, key=key):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line + b"\n" for line in whole)


def metadata(s3: S3Client, *, bucket: str, key: str) -> dict[str, str] | None:
    """The user metadata of the object; None if there is no object."""
    with faults(f"looking for s3://{bucket}/{key}"):
        try:
            return s3.head_object(Bucket=bucket, Key=key)["Metadata"]
        except ClientError as error:
            if code_of(error) in _MISSING:
                return None
            raise


def pages(s3: S3Client, *, bucket: str, prefix: str) -> Iterator[list[ObjectTypeDef]]:
    """The objects under the prefix, 1,000 at a time."""
    with faults(f"listing s3://{bucket}/{prefix}"):
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            yield page.get("Contents", [])


def version_pages(s3: S3Client, *, bucket: str, prefix: str) -> Iterator[list[ObjectVersionTypeDef]]:
    """All versions under the prefix, without delete markers, 1,000 at a time."""
    with faults(f"listing the versions of s3://{bucket}/{prefix}"):
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
            yield page.get("Versions", [])


def code_of(error: ClientError) -> str | None:
    """S3's error code.

    If the connection broke within the error's body, botocore gives the HTTP status as the code. Each of these statuses
    has only one meaning for the calls that we make.
    """
    code = error.response["Error"].get("Code")
    return _CODE_OF_STATUS.get(code or "", code)


@contextmanager
def faults(doing: str) -> Iterator[None]:
    """Raises the errors of AWS in the block as JobErrors."""
    try:
        yield
    except JobError:
        raise
    except AWS_ERRORS as error:
        raise fault(error, doing) from error
