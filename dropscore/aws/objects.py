"""Writes objects block by block. An object appears complete, and only once, or not at all."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from botocore.exceptions import ClientError

from dropscore.aws.faults import AWS_ERRORS
from dropscore.aws.reading import code_of, faults, metadata, read
from dropscore.errors import BusyError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

UPLOAD_BYTES = 8 << 20
UPLOADS_PER_SIZE = 1000  # S3 allows 10,000 parts; doubling the size after each thousand reaches its 5 TB in fewer
MIN_UPLOAD_BYTES = 5 << 20  # S3 accepts a smaller part only as the last one
MAX_COPY_BYTES = 5 << 30  # S3 copies no more in one call
CONFLICTS = 5
TAKEN, CONFLICT, UPLOAD_GONE = "PreconditionFailed", "ConditionalRequestConflict", "NoSuchUpload"
CSV = "text/csv; charset=utf-8"
JSON = "application/json"


class Writer:
    """Writes one object; `commit` makes it visible with `If-None-Match: *`. Memory: one upload part.

    Leaving the context without `commit` aborts the upload. `bytes` counts all bytes of the object; `sha256` does not
    cover bytes that S3 copied by itself. `write`, `copy` and `commit` raise JobError for errors of AWS.
    """

    def __init__(
        self, s3: S3Client, *, bucket: str, key: str, content_type: str = CSV, metadata: Mapping[str, str] | None = None
    ) -> None:
        self._s3 = s3
        self._object: Any = {"Bucket": bucket, "Key": key}
        # `writer` identifies this object as our own if the reply to its write is lost.
        self._new: Any = {"ContentType": content_type, "Metadata": {**(metadata or {}), "writer": uuid4().hex}}
        self._name = f"writing s3://{bucket}/{key}"
        self._pending = bytearray()
        self._upload: Any = None
        self._done: list[CompletedPartTypeDef] = []
        self._digest = hashlib.sha256()
        self.key = key
        self.bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.abort()

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def write(self, data: bytes) -> None:
        self._digest.update(data)
        self.bytes += len(data)
        self._pending += data
        size = UPLOAD_BYTES << (len(self._done) // UPLOADS_PER_SIZE)
        while len(self._pending) >= size:
            self._send(size)

    def copy(self, key: str, size_bytes: int) -> None:
        """Appends another object of the bucket: inside S3 if its size allows that, else through this process."""
        # S3 refuses small parts before the last. So the pending bytes are filled up from the start of the other object,
        # and an object whose rest would be too small is read completely.
        fill = max(0, MIN_UPLOAD_BYTES - len(self._pending)) if self._pending else 0
        if size_bytes - fill < MIN_UPLOAD_BYTES:
            fill = size_bytes
        bucket = self._object["Bucket"]
        for data in read(self._s3, bucket=bucket, key=key, byte_range=(0, fill)) if fill else ():
            self.write(data)
        if fill == size_bytes:
            return
        if self._pending:
            self._send(len(self._pending))
        # Pieces of equal size: a small last piece, in the middle of the output, would make S3 refuse the upload.
        copies = -(-(size_bytes - fill) // MAX_COPY_BYTES)
        copy_bytes = -(-(size_bytes - fill) // copies)
        for start in range(fill, size_bytes, copy_bytes):
            self._copy(key, start, min(start + copy_bytes, size_bytes))
        self.bytes += size_bytes - fill

    def commit(self) -> bool:
        """Makes the object visible. Returns False if another object is at the key already, which does not change.

        Raises BusyError if another write to the key is in progress, and JobError for other errors of AWS.
        """
        with faults(self._name):
            try:
                self._put() if self._upload is None else self._complete()
            except ClientError as error:
                if code_of(error) == CONFLICT:
                    raise BusyError("THROTTLED", f"{self._name}: another write to the key is in progress") from error
                # If the reply to an earlier try was lost, that try may have written the object. The next one then finds
                # the key taken or the upload gone.
                # "404" is UPLOAD_GONE with its body cut off.
                if code_of(error) not in (TAKEN, UPLOAD_GONE, "404"):
                    raise
                return self._is_own_write(error)
        self._upload = None
        return True

    def _is_own_write(self, error: ClientError) -> bool:
        """Whether an earlier try, whose reply was lost, wrote the object."""
        found = metadata(self._s3, bucket=self._object["Bucket"], key=self.key)
        if found is None:
            raise BusyError("THROTTLED", f"{self._name}: the upload and its object do not exist") from error
        return bool(found.get("writer") == self._new["Metadata"]["writer"])

    def _put(self) -> None:
        """Retries while S3 reports another write to the key, which is impossible for an upload in parts."""
        for attempt in range(CONFLICTS):
            try:
                self._s3.put_object(**self._object, **self._new, Body=bytes(self._pending), IfNoneMatch="*")
            except ClientError as error:
                if code_of(error) != CONFLICT or attempt == CONFLICTS - 1:
                    raise
                time.sleep(random.uniform(0, 0.2 * 2**attempt))
            else:
                return

    def _complete(self) -> None:
        if self._pending:
            self._send(len(self._pending))
        self._s3.complete_multipart_upload(**self._upload, MultipartUpload={"Parts": self._done}, IfNoneMatch="*")

    def abort(self) -> None:
        """Saves storage: an unfinished upload is invisible, and the bucket's lifecycle rule removes it anyway."""
        if self._upload is not None:
            with suppress(*AWS_ERRORS):
                self._s3.abort_multipart_upload(**self._upload)
            self._upload = None

    def _send(self, size: int) -> None:
        data = bytes(memoryview(self._pending)[:size])
        del self._pending[:size]
        with faults(self._name):
            self._add(self._s3.upload_part(**self._upload_arguments(), Body=data))

    def _copy(self, key: str, start: int, stop: int) -> None:
        source: Any = {"Bucket": self._object["Bucket"], "Key": key}
        with faults(self._name):
            answer = self._s3.upload_part_copy(
                **self._upload_arguments(), CopySource=source, CopySourceRange=f"bytes={start}-{stop - 1}"
            )
            self._add(answer["CopyPartResult"])

    def _upload_arguments(self) -> Any:
        if self._upload is None:
            upload_id = self._s3.create_multipart_upload(**self._object, **self._new)["UploadId"]
            self._upload = {**self._object, "UploadId": upload_id}
        return {**self._upload, "PartNumber": len(self._done) + 1}

    def _add(self, answer: Any) -> None:
        """Notes the part for the completion, which must repeat its ETag and, if S3 returned one, its checksum."""
        part: CompletedPartTypeDef = {"PartNumber": len(self._done) + 1, "ETag": answer["ETag"]}
        if "ChecksumCRC32" in answer:
            part["ChecksumCRC32"] = answer["ChecksumCRC32"]
        self._done.append(part)


def put(s3: S3Client, *, bucket: str, key: str, data: bytes, content_type: str = JSON) -> bool:
    """Writes a small object. Returns False if there is one already, which does not change. Raises JobError."""
    with Writer(s3, bucket=bucket, key=key, content_type=content_type) as writer:
        writer.write(data)
        return writer.commit()
