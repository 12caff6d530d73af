"""Blocks of scores → one object under output/, which appears whole, once, or not at all.

The one write that makes it visible carries `If-None-Match: *`. The object's metadata names the job, so that an attempt
that finds the key taken knows whether an earlier attempt of its own job was there first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from dropscore.aws.faults import fault
from dropscore.errors import PermanentError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

PART_BYTES = 8 << 20
PARTS_PER_SIZE = 1000  # S3 allows 10,000 parts; doubling the size after each thousand reaches its 5 TB in fewer
_EMPTY_LINE = re.compile(rb"(?<=\n)\n")
TAKEN = {"PreconditionFailed", "ConditionalRequestConflict"}


class Output:
    """The object at `key`, owned by job `job_id`. Memory: one part."""

    def __init__(self, s3: S3Client, *, bucket: str, key: str, job_id: str) -> None:
        self._s3 = s3
        self._object: Any = {"Bucket": bucket, "Key": key}
        self._name = f"s3://{bucket}/{key}"
        self._new: Any = {"ContentType": "text/csv; charset=utf-8", "Metadata": {"job-id": job_id}}
        self._job_id = job_id

    def is_published(self) -> bool:
        """Whether an earlier attempt of this job published. A stranger's object: PermanentError OUTPUT_EXISTS."""
        try:
            found = self._s3.head_object(**self._object)
        except ClientError as error:
            if error.response["Error"].get("Code") in ("404", "NoSuchKey"):
                return False
            raise fault(error, f"looking for {self._name}") from error
        except BotoCoreError as error:
            raise fault(error, f"looking for {self._name}") from error
        if found["Metadata"].get("job-id") != self._job_id:
            raise PermanentError(
                "OUTPUT_EXISTS", f"{self._name} is there already and not of this job; it was left alone"
            )
        return True

    def count_rows(self) -> tuple[int, int]:
        """The rows of the published object, and those of them that were bad: its lines, and the empty ones."""
        body = self._s3.get_object(**self._object)["Body"]
        rows, bad, last = 0, 0, b"\n"
        for chunk in body.iter_chunks(1 << 20):
            rows += chunk.count(b"\n")
            bad += len(_EMPTY_LINE.findall(last + chunk))
            last = chunk[-1:]
        return rows, bad

    def publish(self, blocks: Iterable[bytes]) -> None:
        """Writes the blocks. An earlier attempt of this very job may have been faster: all write the same bytes."""
        try:
            self._write(_parts(blocks))
        except ClientError as error:
            if error.response["Error"].get("Code") not in TAKEN or not self.is_published():
                raise fault(error, f"writing {self._name}") from error
        except BotoCoreError as error:
            raise fault(error, f"writing {self._name}") from error

    def _write(self, parts: Iterator[bytes]) -> None:
        first = next(parts, b"")
        second = next(parts, None)
        if second is None:
            self._s3.put_object(**self._object, **self._new, Body=first, IfNoneMatch="*")
        else:
            self._write_in_parts(chain((first, second), parts))

    def _write_in_parts(self, parts: Iterator[bytes]) -> None:
        upload = {**self._object, "UploadId": self._s3.create_multipart_upload(**self._object, **self._new)["UploadId"]}
        try:
            done: list[CompletedPartTypeDef] = []
            for number, part in enumerate(parts, start=1):
                etag = self._s3.upload_part(**upload, PartNumber=number, Body=part)["ETag"]
                done.append({"PartNumber": number, "ETag": etag})
            self._s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": done}, IfNoneMatch="*")
        except BaseException:
            # Only to save storage: what is left of an upload is invisible, and the bucket's lifecycle removes it.
            with suppress(ClientError, BotoCoreError):
                self._s3.abort_multipart_upload(**upload)
            raise


def _parts(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The blocks regrouped into parts of PART_BYTES (more after each PARTS_PER_SIZE), the last one shorter."""
    part, count = bytearray(), 0
    for block in blocks:
        part += block
        size = PART_BYTES << (count // PARTS_PER_SIZE)
        while len(part) >= size:
            yield bytes(memoryview(part)[:size])
            del part[:size]
            count += 1
    if part:
        yield bytes(part)
