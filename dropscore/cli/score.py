"""`dropscore score FILE…`: puts files under input/ and, with --watch, waits for their scores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dropscore.cli.deployment import Deployment, deployment
from dropscore.cli.options import Env, Json, Local, Profile, Region, target
from dropscore.cli.show import as_dict, print_jobs, print_json, talk
from dropscore.cli.watch import wait
from dropscore.errors import ConfigurationError
from dropscore.jobs import Job, State, job_id
from dropscore.routes import INPUT, errors_key, is_input, sidecar_key

Files = Annotated[list[Path], typer.Argument(metavar="FILE…", exists=True, dir_okay=False, readable=True)]


def score(
    context: typer.Context,
    files: Files,
    route: Annotated[str | None, typer.Option(help="Put the files under input/ROUTE/.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Wait until every file is scored.")] = False,
    as_json: Json = False,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
    env: Env = None,
) -> None:
    """Upload CSV files to be scored; prints a job id for each."""
    keys = [f"{INPUT}{route + '/' if route else ''}{file.name}" for file in files]
    for key in keys:
        if not is_input(key):
            raise typer.BadParameter(f"{key!r} would not be scored: a file's name must end in .csv or .csv.gz")
    there = deployment(target(context, local=local, profile=profile, region=region, env=env))
    for file, key in zip(files, keys, strict=True):
        if sidecar := upload_sidecar(there, file, key):
            talk.print(f"{key}: takes the options of {sidecar}", markup=False)
    uploaded = {upload(there, file, key): key for file, key in zip(files, keys, strict=True)}
    if watch:
        jobs = wait(there.table, uploaded)
        print_json([as_dict(job) for job in jobs]) if as_json else print_jobs(jobs)
        for job in jobs:
            _tell(job)
        raise typer.Exit(0 if all(is_clean(job) for job in jobs) else 1)
    if as_json:
        print_json([{"job_id": identity, "file": key} for identity, key in uploaded.items()])
    else:
        for identity, key in uploaded.items():
            print(identity)
            talk.print(f"{key} is uploaded; see it with: dropscore status {identity}", markup=False)


def _tell(job: Job) -> None:
    """What is to be known of a job that is not clean."""
    if job.status is not State.SUCCEEDED:
        talk.print(f"{job.file}: {job.status}: {job.message}", markup=False, soft_wrap=True)
    elif job.rows_rejected:
        talk.print(f"{job.file}: {job.rows_rejected} rows were rejected: {errors_key(job.output_key)}", markup=False)


def is_clean(job: Job) -> bool:
    """Every row has its score: what exit code 0 promises."""
    return job.status is State.SUCCEEDED and not job.rows_rejected


def upload_sidecar(there: Deployment, file: Path, key: str) -> Path | None:
    """Puts what lies beside the file and says how it is to be read, if there is such; before the file comes."""
    sidecar = file.with_name(sidecar_key(file.name))
    if not sidecar.is_file():
        return None
    there.s3.upload_file(str(sidecar), there.bucket, sidecar_key(key))
    return sidecar


def upload(there: Deployment, file: Path, key: str) -> str:
    """Puts the file at `key`; returns the id of the job that its version becomes."""
    versions: list[str] = []

    def remember(parsed: dict[str, str], **_: object) -> None:
        versions.extend([parsed["VersionId"]] if "VersionId" in parsed else [])  # an error has none, and is raised

    # `upload_file` uploads large files in parts but tells nobody which version came of it: its calls do.
    for call in ("PutObject", "CompleteMultipartUpload"):
        there.s3.meta.events.register(f"after-call.s3.{call}", remember, unique_id=f"remember-{call}")
    try:
        there.s3.upload_file(str(file), there.bucket, key)
    finally:
        for call in ("PutObject", "CompleteMultipartUpload"):
            there.s3.meta.events.unregister(f"after-call.s3.{call}", unique_id=f"remember-{call}")
    if not versions:
        raise ConfigurationError(
            f"bucket {there.bucket} keeps no versions, so no job can be named; deploy storage again"
        )
    return job_id(there.bucket, key, versions[-1])
