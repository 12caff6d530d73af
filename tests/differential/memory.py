"""The worker's services in memory: thousands of jobs a minute, with all of Dropscore's own code."""

from __future__ import annotations

import hashlib
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from dropscore.jobs.job import Job, State

sys.path.insert(0, str(Path(__file__).parents[2] / "containers"))
from model.serving.http.head import Head
from model.serving.invocation import Invocation
from model.serving.model import Model
from model.serving.refusal import RefusalError


@dataclass
class MemoryS3:
    """Objects by key, with one version each; conditional writes and ranges behave as in S3."""

    objects: dict[str, tuple[bytes, dict[str, str]]] = field(default_factory=dict)
    uploads: dict[str, list[bytes]] = field(default_factory=dict)

    def get_object(self, *, Key: str, Range: str = "", **_: Any) -> dict[str, Any]:  # noqa: N803
        data, _metadata = self._found(Key, "GetObject")
        start, stop = _bounds(Range, len(data))
        if start >= len(data) and Range:
            raise _error("InvalidRange", 416, "GetObject")
        body = data[start:stop]
        return {
            "Body": StreamingBody(io.BytesIO(body), len(body)),
            "ContentLength": len(body),
            "ContentRange": f"bytes {start}-{stop - 1}/{len(data)}",
            "ETag": hashlib.md5(data, usedforsecurity=False).hexdigest(),
        }

    def head_object(self, *, Key: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        return {"Metadata": self._found(Key, "HeadObject")[1]}

    def put_object(self, *, Key: str, Body: bytes, **more: Any) -> dict[str, Any]:  # noqa: N803
        self._put(Key, Body, more)
        return {}

    def create_multipart_upload(self, *, Key: str, **more: Any) -> dict[str, str]:  # noqa: N803
        identity = f"{Key}#{len(self.uploads)}"
        self.uploads[identity] = []
        self.objects[identity] = (b"", more.get("Metadata", {}))
        return {"UploadId": identity}

    def upload_part(self, *, UploadId: str, Body: bytes, **_: Any) -> dict[str, str]:  # noqa: N803
        self.uploads[UploadId].append(Body)
        return {"ETag": "part"}

    def complete_multipart_upload(self, *, Key: str, UploadId: str, **more: Any) -> None:  # noqa: N803
        _, metadata = self.objects.pop(UploadId)
        self._put(Key, b"".join(self.uploads.pop(UploadId)), {**more, "Metadata": metadata})

    def abort_multipart_upload(self, *, UploadId: str, **_: Any) -> None:  # noqa: N803
        self.uploads.pop(UploadId, None)
        self.objects.pop(UploadId, None)

    def get_paginator(self, _name: str) -> MemoryS3:
        return self

    def paginate(self, *, Prefix: str, **_: Any) -> Iterator[dict[str, Any]]:  # noqa: N803
        yield {
            "Contents": [{"Key": key, "LastModified": _EPOCH} for key in sorted(self.objects) if key.startswith(Prefix)]
        }

    def _found(self, key: str, operation: str) -> tuple[bytes, dict[str, str]]:
        if key not in self.objects:
            raise _error("404" if operation == "HeadObject" else "NoSuchKey", 404, operation)
        return self.objects[key]

    def _put(self, key: str, data: bytes, more: dict[str, Any]) -> None:
        if more.get("IfNoneMatch") and key in self.objects:
            raise _error("PreconditionFailed", 412, "PutObject")
        self.objects[key] = (data, more.get("Metadata", {}))


class _Epoch:
    def isoformat(self) -> str:
        return "2026-01-01T00:00:00+00:00"


_EPOCH = _Epoch()


@dataclass
class MemoryTable:
    """The row of one job, for attempts that run one after the other."""

    job: Job

    def find(self, _job_id: str) -> Job:
        return self.job

    def start(self, _job_id: str, *, batch_job_id: str, attempt: int, **_: Any) -> bool:
        self.job = replace(self.job, status=State.RUNNING, batch_job_id=batch_job_id, attempt=attempt)
        return True

    def enter(self, _job_id: str, **_: Any) -> Job:
        self.job = replace(self.job, status=State.RUNNING)
        return self.job

    def note(self, _job: Job, **_: Any) -> bool:
        return True

    def report(self, _job: Job, **attributes: Any) -> bool:
        self.job = replace(self.job, **{name: value for name, value in attributes.items() if hasattr(self.job, name)})
        return True

    def advance(self, _job: Job, _rows: int) -> None:
        pass

    def payload_limit(self, _model: str, _version: str) -> None:
        pass

    def learn_payload_limit(self, *_: object) -> None:
        pass


@dataclass(frozen=True)
class MemoryRuntime:
    """The SageMaker runtime in front of the model container's own parsing, scoring and formatting."""

    model: Model

    def invoke_endpoint(self, *, Body: bytes, ContentType: str, Accept: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        fields = {"content-type": (ContentType,), "accept": (Accept,)}
        invocation = Invocation.of(Head("POST", "/invocations", "1.1", fields))
        try:
            matrix = invocation.read(Body, self.model.schema, 1)
            reply = invocation.write(self.model.compute(matrix, invocation.output_type))
        except RefusalError as refusal:
            raise _model_error(refusal.status, refusal.to_json().decode()) from None
        return {"Body": io.BytesIO(reply), "CustomAttributes": self.model.attributes}


def _model_error(status: int, message: str) -> ClientError:
    more: Any = {"OriginalStatusCode": status, "OriginalMessage": message}
    error = _error("ModelError", 424, "InvokeEndpoint")
    error.response.update(more)
    return error


def _error(code: str, status: int, operation: str) -> ClientError:
    response: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, operation)


def _bounds(byte_range: str, size: int) -> tuple[int, int]:
    """The start and end of `bytes=3-9` or `bytes=3-`; the whole object if no range is given."""
    first, _, last = byte_range.removeprefix("bytes=").partition("-")
    return int(first or 0), min(size, int(last) + 1 if last else size)
