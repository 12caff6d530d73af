"""The manifest beside each output: what was read, what was written, by which model; `dropscore verify` checks it."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, NotRequired, TypedDict

from dropscore.aws import objects
from dropscore.clock import now, seconds_between
from dropscore.jobs.job import Job
from dropscore.jobs.routes import Model, errors_key, is_compressed
from dropscore.output.parts import Part
from dropscore.settings import WorkerSettings

VERSION = 1

RowCounts = TypedDict("RowCounts", {"in": int, "scored": int, "rejected": int, "empty": NotRequired[int]})
"""`empty` is missing in manifests of earlier releases."""
Columns = dict[str, Any]
"""How the columns of the file were matched to features (docs/manifest.md)."""


class InputPart(TypedDict):
    """A range of bytes of the input's text, uncompressed; `end` is exclusive, the digest SHA-256 in hex."""

    start: int
    end: int
    sha256: str


class InputRecord(TypedDict):
    key: str
    version_id: str
    bytes: int
    is_compressed: bool
    parts: list[InputPart]


class OutputPart(TypedDict):
    bytes: int
    rows: int
    sha256: str


class OutputRecord(TypedDict):
    key: str
    bytes: int
    parts: list[OutputPart]


class ErrorsRecord(TypedDict):
    key: str
    bytes: int
    rows: int
    sha256: str


class DeployedModel(TypedDict):
    version: str
    digest: str | None


class ModelRecord(TypedDict):
    """`version` is the model that scored the rows, `deployed` the one that the deployment names."""

    name: str
    version: str
    deployed: DeployedModel
    endpoint: str


class Manifest(TypedDict):
    """As JSON, the content of `<output>.manifest.json`. Sizes are in bytes, digests SHA-256 in hex."""

    manifest: int
    job_id: str
    run: int
    route: str
    options: dict[str, Any]
    rejected_of: str | None
    input: InputRecord
    output: OutputRecord
    errors: ErrorsRecord | None
    columns: Columns
    rows: RowCounts
    model: ModelRecord
    plan: dict[str, int]
    worker: dict[str, str]
    attempts: dict[str, str | int | None]
    times: dict[str, str | float | None]


class Summary(TypedDict):
    """What the jobs table keeps of a published output."""

    rows: int
    rows_scored: int
    rows_rejected: int
    rows_empty: int
    model_version: str


def summary_of(manifest: Manifest) -> Summary:
    rows = manifest["rows"]
    return {
        "rows": rows["in"],
        "rows_scored": rows["scored"],
        "rows_rejected": rows["rejected"],
        "rows_empty": rows.get("empty", 0),
        "model_version": manifest["model"]["version"],
    }


def manifest_of(
    job: Job,
    model: Model,
    settings: WorkerSettings,
    parts: Sequence[Part],
    errors: objects.Writer | None,
    *,
    columns: Columns,
    header: bytes = b"",
) -> Manifest:
    """The manifest of an output that consists of `header` and `parts`, in this order."""
    started_at, published_at = job.started_at or job.submitted_at, now()
    rows, bad = sum(part.rows for part in parts), sum(part.bad for part in parts)
    return {
        "manifest": VERSION,
        "job_id": job.job_id,
        "run": job.run,
        "route": job.route,
        "options": job.parsed_options.as_dict(),
        "rejected_of": job.rejected_of,
        "input": _input(job, parts),
        "output": _output(job, parts, header),
        "errors": _errors(job, errors, bad),
        "columns": dict(columns),
        "rows": {"in": rows, "scored": rows - bad, "rejected": bad, "empty": sum(part.empty for part in parts)},
        # A part without rows sent no request: its version is only the one that was deployed at the claim.
        "model": _model(model, next(part.model_version for part in parts if part.rows)),
        "plan": {"shards": job.shards, "shard_bytes": job.plan.shard_bytes},
        "worker": {"image": settings.image},
        "attempts": {
            "batch_job_id": settings.batch_job_id,
            "attempt": settings.attempt,
            "array_job_id": job.array_job_id,
        },
        "times": {
            "submitted_at": job.submitted_at,
            "started_at": job.started_at,
            "published_at": published_at,
            "seconds": round(seconds_between(started_at, published_at), 3),
        },
    }


def _input(job: Job, parts: Sequence[Part]) -> InputRecord:
    return {
        "key": job.file,
        "version_id": job.version_id,
        "bytes": job.size_bytes,
        "is_compressed": is_compressed(job.file),
        "parts": [{"start": part.start, "end": part.end, "sha256": part.input_sha256} for part in parts],
    }


def _output(job: Job, parts: Sequence[Part], header: bytes) -> OutputRecord:
    written: list[OutputPart] = []
    # The header is a part of its own, so that the digests cover every byte of the output.
    if header:
        written.append({"bytes": len(header), "rows": 0, "sha256": sha256(header).hexdigest()})
    written += [{"bytes": part.bytes, "rows": part.rows, "sha256": part.sha256} for part in parts if part.bytes]
    return {"key": job.output_key, "bytes": sum(part["bytes"] for part in written), "parts": written}


def _errors(job: Job, errors: objects.Writer | None, rows: int) -> ErrorsRecord | None:
    if errors is None:
        return None
    return {"key": errors_key(job.output_key), "bytes": errors.bytes, "rows": rows, "sha256": errors.sha256}


def _model(model: Model, version: str) -> ModelRecord:
    deployed: DeployedModel = {"version": model.version, "digest": model.digest}
    return {"name": model.name, "version": version, "deployed": deployed, "endpoint": model.endpoint}
