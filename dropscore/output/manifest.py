"""The manifest beside each output: what went in, what came out, by what; `dropscore verify` holds them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from dropscore.aws import objects
from dropscore.jobs.job import Job, now
from dropscore.jobs.routes import Model, errors_key, is_packed
from dropscore.output.parts import Part
from dropscore.settings import WorkerSettings

VERSION = 1


def manifest(
    job: Job,
    model: Model,
    settings: WorkerSettings,
    parts: Sequence[Part],
    errors: objects.Writer | None,
    *,
    columns: Mapping[str, Any],
    header: bytes = b"",
) -> dict[str, Any]:
    """`columns`: how those of the file came to the model's features.

    Digests are SHA-256 in hex, sizes bytes. Positions are in the file's text, which a packed file has inside.
    """
    rows, bad, published_at = sum(part.rows for part in parts), sum(part.bad for part in parts), now()
    heading = [{"bytes": len(header), "rows": 0, "sha256": sha256(header).hexdigest()}] if header else []
    written = [{"bytes": part.bytes, "rows": part.rows, "sha256": part.sha256} for part in parts if part.bytes]
    return {
        "manifest": VERSION,
        "job_id": job.job_id,
        "run": job.run,
        "route": job.route,
        "options": job.parsed_options.as_dict(),
        "rejected_of": job.rejected_of,
        "input": {
            "key": job.file,
            "version_id": job.version_id,
            "bytes": job.size_bytes,
            "is_packed": is_packed(job.file),
            "parts": [{"start": part.start, "end": part.end, "sha256": part.input_sha256} for part in parts],
        },
        "output": {
            "key": job.output_key,
            "bytes": sum(part["bytes"] for part in heading + written),
            "parts": heading + written,
        },
        "errors": errors
        and {"key": errors_key(job.output_key), "bytes": errors.bytes, "rows": bad, "sha256": errors.sha256},
        "columns": dict(columns),
        "rows": {"in": rows, "scored": rows - bad, "rejected": bad, "empty": sum(part.empty for part in parts)},
        "model": {
            "name": model.name,
            "version": next(part.model_version for part in parts if part.rows),
            "deployed": {"version": model.version, "digest": model.digest},
            "endpoint": model.endpoint,
        },
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
            "seconds": _seconds(job.started_at or job.submitted_at, published_at),
        },
    }


def _seconds(start: str, end: str) -> float:
    return round((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds(), 3)
