"""`dropscore verify`: what was published, held against its manifest, byte for byte."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from botocore.exceptions import ClientError

from dropscore.aws import reading
from dropscore.aws.source import Source
from dropscore.cli.deployment import Deployment, deployment
from dropscore.cli.jobs import Which, job_of
from dropscore.cli.options import Env, Json, Local, Profile, Region, target
from dropscore.cli.output import printable, write, write_json
from dropscore.errors import JobFailedError
from dropscore.jobs import Job, State
from dropscore.routes import manifest_key
from dropscore.text import Input

# What is read from a manifest (docs/manifest.md). Whoever may write to the bucket may have changed it.
ERRORS_SHAPE = {"key": str, "bytes": int, "rows": int, "sha256": str}
SHAPE = {
    "job_id": str,
    "rows": {"in": int, "scored": int, "rejected": int},
    "input": {"is_packed": bool, "parts": [{"start": int, "end": int, "sha256": str}]},
    "output": {"key": str, "bytes": int, "parts": [{"bytes": int, "rows": int, "sha256": str}]},
}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `problem` is empty where it is as the manifest says."""

    what: str
    problem: str


def verify(
    context: typer.Context,
    which: Which,
    with_input: Annotated[bool, typer.Option("--input", help="Read the input version again, too.")] = False,
    as_json: Json = False,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
    env: Env = None,
) -> None:
    """Check a job's output, its list of bad rows and its manifest against each other. Exits 1 on any difference."""
    there = deployment(target(context, local=local, profile=profile, region=region, env=env))
    job = job_of(there, which)
    if job.status is not State.SUCCEEDED:
        raise JobFailedError(f"job {job.job_id} is {job.status}; there is nothing to verify")
    findings = list(look(there, job, with_input=with_input))
    if as_json:
        write_json([{"what": finding.what, "problem": finding.problem or None} for finding in findings])
    else:
        for finding in findings:
            what, problem = printable(finding.what), printable(finding.problem)
            write(f"DIFFERS {what}: {problem}" if problem else f"ok      {what}")
    raise typer.Exit(1 if any(finding.problem for finding in findings) else 0)


def look(there: Deployment, job: Job, *, with_input: bool) -> Iterator[Finding]:
    said = _manifest(there, job)
    yield Finding("the manifest is of this job", _unequal("job", said["job_id"], job.job_id))
    rows = said["rows"]
    counted = {"in": job.rows, "scored": job.rows_scored, "rejected": job.rows_rejected, "empty": job.rows_empty}
    yield Finding("the jobs table and the manifest count the same rows", _unequal("rows", counted, {"empty": 0} | rows))
    parts = said["output"]["parts"]
    yield Finding("the parts have all rows", _unequal("rows", sum(part["rows"] for part in parts), rows["in"]))
    yield Finding(
        f"{said['output']['key']}, {said['output']['bytes']} bytes", _differs(_object(there, job.output_key), parts)
    )
    if listed := said.get("errors"):
        yield Finding(f"{listed['key']}, {listed['rows']} rows", _differs(_object(there, listed["key"]), [listed]))
    if with_input:
        yield Finding(f"{job.file}, version {job.version_id}", _input_differs(there, job, said["input"]))


def _input_differs(there: Deployment, job: Job, said: dict[str, Any]) -> str:
    parts = [{"bytes": part["end"] - part["start"], "sha256": part["sha256"]} for part in said["parts"]]
    for before, after in zip(said["parts"], said["parts"][1:], strict=False):
        if before["end"] != after["start"]:
            return f"between byte {before['end']} and {after['start']} there are rows that no part has, or twice"
    source = Source(there.s3, bucket=there.bucket, key=job.file, version_id=job.version_id)
    return _differs(Input(source=source, is_packed=said["is_packed"]).read(said["parts"][0]["start"]), parts)


def _differs(chunks: Iterable[bytes], parts: Sequence[dict[str, Any]]) -> str:
    """Where the bytes are not what the parts, one after the other, say; nothing where they are."""
    rest, chunk, position = iter(chunks), b"", 0
    for number, part in enumerate(parts):
        digest, left = hashlib.sha256(), part["bytes"]
        while left and (chunk := chunk or next(rest, b"")):
            digest.update(chunk[:left])
            left, chunk = left - len(chunk[:left]), chunk[left:]
        if left:
            return f"it ends {left} bytes before the end of part {number}"
        if digest.hexdigest() != part["sha256"]:
            return f"part {number}, {part['bytes']} bytes from byte {position}, has another SHA-256"
        position += part["bytes"]
    return f"it goes on after its last part, at byte {position}" if chunk or next(rest, b"") else ""


def _object(there: Deployment, key: str) -> Iterator[bytes]:
    return reading.read(there.s3, bucket=there.bucket, key=key)


def _manifest(there: Deployment, job: Job) -> dict[str, Any]:
    key = manifest_key(job.output_key)
    try:
        text = there.s3.get_object(Bucket=there.bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"].get("Code") != "NoSuchKey":
            raise
        raise JobFailedError(
            f"there is no manifest {key}; it was deleted, or the output is older than manifests"
        ) from None
    try:
        manifest: dict[str, Any] = json.loads(text)
    except (ValueError, RecursionError):
        manifest = {}
    errors = isinstance(manifest, dict) and manifest.get("errors")
    if not _has_shape(manifest, SHAPE) or (errors and not _has_shape(errors, ERRORS_SHAPE)):
        raise JobFailedError(
            f"{key} is not a manifest of Dropscore, so it was changed after the job. Restore its first version in the "
            "bucket, or score the file again"
        )
    return manifest


def _has_shape(value: object, shape: object) -> bool:
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(
            name in value and _has_shape(value[name], inner) for name, inner in shape.items()
        )
    if isinstance(shape, list):
        return isinstance(value, list) and bool(value) and all(_has_shape(item, shape[0]) for item in value)
    return type(value) is shape


def _unequal(name: str, found: object, expected: object) -> str:
    return "" if found == expected else f"{name} {found}, expected {expected}"
