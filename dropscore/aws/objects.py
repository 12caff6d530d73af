"""An object that is written piece by piece and appears whole, once, or not at all."""

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
LEAST_UPLOAD_BYTES = 5 << 20  # S3 takes no smaller part, but for the last
MOST_COPY_BYTES = 5 << 30
CONFLICTS = 5
TAKEN, CONFLICT, UPLOAD_GONE = "PreconditionFailed", "ConditionalRequestConflict", "NoSuchUpload"
CSV = "text/csv; charset=utf-8"
JSON = "application/json"


class Writer:
    """Writes one object; `commit` makes it visible with `If-None-Match: *`. Memory: one upload. Aborts if it is left.

    `bytes` and `sha256` are of what went through it; what S3 copied by itself is in neither digest.
    """

    def __init__(
        self, s3: S3Client, *, bucket: str, key: str, kind: str = CSV, metadata: Mapping[str, str] | None = None
    ) -> None:
        self._s3 = s3
        self._object: Any = {"Bucket": bucket, "Key": key}
        self._new: Any = {"ContentType": kind, "Metadata": {**(metadata or {}), "writer": uuid4().hex}}
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
        self, kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self.abort()

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def write(self, block: bytes) -> None:
        self._digest.update(block)
        self.bytes += len(block)
        self._pending += block
        size = UPLOAD_BYTES << (len(self._done) // UPLOADS_PER_SIZE)
        while len(self._pending) >= size:
            self._send(size)

    def copy(self, key: str, size_bytes: int) -> None:
        """Appends another object of the bucket: on S3's side where that is allowed, through this process where not."""
        fill = max(0, LEAST_UPLOAD_BYTES - len(self._pending)) if self._pending else 0
        if size_bytes - fill < LEAST_UPLOAD_BYTES:
            fill = size_bytes
        here = self._object["Bucket"]
        for block in read(self._s3, bucket=here, key=key, byte_range=(0, fill)) if fill else ():
            self.write(block)
        if fill == size_bytes:
            return
        if self._pending:
            self._send(len(self._pending))
        for start in range(fill, size_bytes, MOST_COPY_BYTES):
            self._copy(key, start, min(start + MOST_COPY_BYTES, size_bytes))
        self.bytes += size_bytes - fill

    def commit(self) -> bool:
        """Makes it visible; False where something is at the key already: that is left alone."""
        with faults(self._name):
            try:
                self._put() if self._upload is None else self._complete()
            except ClientError as error:
                if code_of(error) == CONFLICT:
                    raise BusyError("AWS_BUSY", f"{self._name}: somebody else writes there at this moment") from error
                # "404" is UPLOAD_GONE with its body cut off.
                if code_of(error) not in (TAKEN, UPLOAD_GONE, "404"):
                    raise
                return self._is_mine(error)
        self._upload = None
        return True

    def _is_mine(self, error: ClientError) -> bool:
        """Whether an earlier try, whose reply was lost, has written it."""
        found = metadata(self._s3, bucket=self._object["Bucket"], key=self.key)
        if found is None:
            raise BusyError("AWS_BUSY", f"{self._name}: the upload is gone, and nothing came of it") from error
        return bool(found.get("writer") == self._new["Metadata"]["writer"])

    def _put(self) -> None:
        """Where S3 says that another write to the key is under way, it is sent again; an upload in parts cannot be."""
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
        """Only to save storage: what is left of an upload is invisible, and the bucket's lifecycle removes it."""
        if self._upload is not None:
            with suppress(*AWS_ERRORS):
                self._s3.abort_multipart_upload(**self._upload)
            self._upload = None

    def _send(self, size: int) -> None:
        block = bytes(memoryview(self._pending)[:size])
        del self._pending[:size]
        with faults(self._name):
            self._add(self._s3.upload_part(**self._begun(), Body=block))

    def _copy(self, key: str, start: int, stop: int) -> None:
        source: Any = {"Bucket": self._object["Bucket"], "Key": key}
        with faults(self._name):
            answer = self._s3.upload_part_copy(
                **self._begun(), CopySource=source, CopySourceRange=f"bytes={start}-{stop - 1}"
            )
            self._add(answer["CopyPartResult"])

    def _begun(self) -> Any:
        if self._upload is None:
            upload_id = self._s3.create_multipart_upload(**self._object, **self._new)["UploadId"]
            self._upload = {**self._object, "UploadId": upload_id}
        return {**self._upload, "PartNumber": len(self._done) + 1}

    def _add(self, answer: Any) -> None:
        """S3 wants to hear again what it answered: where it checks a part by a checksum, that one too."""
        named: CompletedPartTypeDef = {"PartNumber": len(self._done) + 1, "ETag": answer["ETag"]}
        if "ChecksumCRC32" in answer:
            named["ChecksumCRC32"] = answer["ChecksumCRC32"]
        self._done.append(named)


def put(s3: S3Client, *, bucket: str, key: str, data: bytes, kind: str = JSON) -> bool:
    """A small object, if none is there; False where one is."""
    with Writer(s3, bucket=bucket, key=key, kind=kind) as writer:
        writer.write(data)
        return writer.commit()
