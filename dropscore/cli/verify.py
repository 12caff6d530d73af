"""`dropscore verify`: compares what was published with its manifest, byte for byte."""

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
from dropscore.cli.deployment import Deployment, connect
from dropscore.cli.jobs import JobOrFile, job_of
from dropscore.cli.options import Env, Json, Local, Profile, Region, target
from dropscore.cli.output import printable, write, write_json
from dropscore.errors import JobFailedError
from dropscore.files.input import Input
from dropscore.jobs.job import Job, State
from dropscore.jobs.routes import manifest_key

# What is read from a manifest (docs/manifest.md). Anyone with write access to the bucket may have changed it.
ERRORS_SHAPE = {"key": str, "bytes": int, "rows": int, "sha256": str}
SHAPE = {
    "job_id": str,
    "rows": {"in": int, "scored": int, "rejected": int},
    "input": {"is_compressed": bool, "parts": [{"start": int, "end": int, "sha256": str}]},
    "output": {"key": str, "bytes": int, "parts": [{"bytes": int, "rows": int, "sha256": str}]},
}


@dataclass(frozen=True)
class Finding:
    """The result of one check; `problem` is empty if there is no difference."""

    what: str
    problem: str


def verify(
    context: typer.Context,
    job_or_file: JobOrFile,
    with_input: Annotated[bool, typer.Option("--input", help="Also check the input version.")] = False,
    as_json: Json = False,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
    env: Env = None,
) -> None:
    """Check a job's output, its list of bad rows and its manifest against each other. Exits 1 on any difference."""
    deployment = connect(target(context, local=local, profile=profile, region=region, env=env))
    job = job_of(deployment, job_or_file)
    if job.status is not State.SUCCEEDED:
        raise JobFailedError(f"job {job.job_id} is {job.status}; there is nothing to verify")
    findings = list(verify_job(deployment, job, with_input=with_input))
    if as_json:
        write_json([{"what": finding.what, "problem": finding.problem or None} for finding in findings])
    else:
        for finding in findings:
            what, problem = printable(finding.what), printable(finding.problem)
            write(f"DIFFERS {what}: {problem}" if problem else f"ok      {what}")
    raise typer.Exit(1 if any(finding.problem for finding in findings) else 0)


def verify_job(deployment: Deployment, job: Job, *, with_input: bool) -> Iterator[Finding]:
    """One finding for each check. Raises JobFailedError if the job has no manifest."""
    manifest = _manifest(deployment, job)
    yield Finding("the manifest is of this job", _unequal("job", manifest["job_id"], job.job_id))
    rows = manifest["rows"]
    counted = {"in": job.rows, "scored": job.rows_scored, "rejected": job.rows_rejected, "empty": job.rows_empty}
    yield Finding("the jobs table and the manifest count the same rows", _unequal("rows", counted, {"empty": 0} | rows))
    parts = manifest["output"]["parts"]
    yield Finding("the parts have all rows", _unequal("rows", sum(part["rows"] for part in parts), rows["in"]))
    yield Finding(
        f"{manifest['output']['key']}, {manifest['output']['bytes']} bytes",
        _differs(_object(deployment, job.output_key), parts),
    )
    if listed := manifest.get("errors"):
        yield Finding(f"{listed['key']}, {listed['rows']} rows", _differs(_object(deployment, listed["key"]), [listed]))
    if with_input:
        yield Finding(f"{job.file}, version {job.version_id}", _input_differs(deployment, job, manifest["input"]))


def _input_differs(deployment: Deployment, job: Job, input_entry: dict[str, Any]) -> str:
    parts = [{"bytes": part["end"] - part["start"], "sha256": part["sha256"]} for part in input_entry["parts"]]
    for before, after in zip(input_entry["parts"], input_entry["parts"][1:], strict=False):
        if before["end"] != after["start"]:
            return f"between byte {before['end']} and {after['start']} there are rows that are in no part or in two"
    source = Source(deployment.s3, bucket=deployment.bucket, key=job.file, version_id=job.version_id)
    return _differs(
        Input(source=source, is_compressed=input_entry["is_compressed"]).read(input_entry["parts"][0]["start"]), parts
    )


def _differs(chunks: Iterable[bytes], parts: Sequence[dict[str, Any]]) -> str:
    """The first difference between the bytes and the parts in their order; empty if there is none."""
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


def _object(deployment: Deployment, key: str) -> Iterator[bytes]:
    return reading.read(deployment.s3, bucket=deployment.bucket, key=key)


def _manifest(deployment: Deployment, job: Job) -> dict[str, Any]:
    key = manifest_key(job.output_key)
    try:
        text = deployment.s3.get_object(Bucket=deployment.bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"].get("Code") != "NoSuchKey":
            raise
        raise JobFailedError(
            f"there is no manifest {key}: it was deleted, or the output is from a release without manifests"
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
    # Not `isinstance`: in Python, `true` would pass for a number.
    return type(value) is shape


def _unequal(name: str, found: object, expected: object) -> str:
    return "" if found == expected else f"{name} {found}, expected {expected}"
