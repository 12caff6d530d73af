"""`dropscore score FILE…`: uploads files to input/ and, with --watch, waits for their scores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dropscore.cli.deployment import Deployment, connect
from dropscore.cli.options import Env, Json, Local, Profile, Region, target
from dropscore.cli.output import printable, say, write, write_json
from dropscore.cli.show import as_dict, print_jobs
from dropscore.cli.uploads import Paths, drops
from dropscore.cli.watch import wait
from dropscore.errors import ConfigurationError
from dropscore.jobs.job import Job, State, job_id
from dropscore.jobs.routes import errors_key, job_options_key


def score(
    context: typer.Context,
    paths: Paths,
    route: Annotated[str | None, typer.Option(help="Put the files under input/ROUTE/.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Wait until every file is scored.")] = False,
    as_json: Json = False,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
    env: Env = None,
) -> None:
    """Upload CSV files to be scored, and print a job id for each."""
    deployment = connect(target(context, local=local, profile=profile, region=region, env=env))
    files = drops(paths, deployment.inputs, folder_of(deployment, route))
    for drop in files:
        if job_options := upload_job_options(deployment, drop.file, drop.key):
            say(f"{printable(drop.key)}: uses the options in {printable(job_options)}")
    uploaded = {upload(deployment, drop.file, drop.key): drop.key for drop in files}
    if watch:
        jobs = wait(deployment.table, uploaded)
        write_json([as_dict(job) for job in jobs]) if as_json else print_jobs(jobs)
        for job in jobs:
            _report(job)
        raise typer.Exit(0 if all(is_clean(job) for job in jobs) else 1)
    if as_json:
        write_json([{"job_id": identity, "file": key} for identity, key in uploaded.items()])
    else:
        for identity, key in uploaded.items():
            write(identity)
            say(f"{printable(key)} is uploaded; see its job with: dropscore status {identity}")


def folder_of(deployment: Deployment, route: str | None) -> str:
    """The folder of a route's files below input/. Raises BadParameter if the route is not deployed."""
    if route is None:
        return ""
    if route not in deployment.routes:
        deployed = ", ".join(map(printable, deployment.routes))
        raise typer.BadParameter(f"there is no route {route!r}; deployed routes: {deployed}")
    return f"{route}/"


def _report(job: Job) -> None:
    """Prints the job's message and its list of rejected rows, if any."""
    if job.status is not State.SUCCEEDED:
        say(f"{printable(job.file)}: {job.status}: {printable(job.message)}")
        return
    if job.rows_rejected:
        listed = printable(errors_key(job.output_key))
        say(f"{printable(job.file)}: {job.rows_rejected} rows were rejected: {listed}")
    if job.message:
        say(f"{printable(job.file)}: {printable(job.message)}")


def is_clean(job: Job) -> bool:
    """Whether every row has its score, as exit code 0 promises."""
    return job.status is State.SUCCEEDED and not job.rows_rejected


def upload_job_options(deployment: Deployment, file: Path, key: str) -> Path | None:
    """Uploads the job options file beside the input, if any. Call it first: the input's arrival starts the job."""
    job_options = file.with_name(job_options_key(file.name))
    if not job_options.is_file():
        return None
    deployment.s3.upload_file(str(job_options), deployment.bucket, job_options_key(key))
    return job_options


def upload(deployment: Deployment, file: Path, key: str) -> str:
    """Uploads the file to `key`. Returns its job's id. Raises ConfigurationError if the bucket has no versions."""
    versions: list[str] = []

    def remember(parsed: dict[str, str], **_: object) -> None:
        versions.extend(
            [parsed["VersionId"]] if "VersionId" in parsed else []
        )  # an error has none, and is raised by upload_file

    # `upload_file` uploads large files in parts but does not return the version; its calls report it.
    for call in ("PutObject", "CompleteMultipartUpload"):
        deployment.s3.meta.events.register(f"after-call.s3.{call}", remember, unique_id=f"remember-{call}")
    try:
        deployment.s3.upload_file(str(file), deployment.bucket, key)
    finally:
        for call in ("PutObject", "CompleteMultipartUpload"):
            deployment.s3.meta.events.unregister(f"after-call.s3.{call}", unique_id=f"remember-{call}")
    if not versions:
        raise ConfigurationError(
            f"bucket {deployment.bucket} keeps no versions, so the job's id is unknown; deploy the storage stack again"
        )
    return job_id(deployment.bucket, key, versions[-1])
