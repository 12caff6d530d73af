"""`dropscore jobs`, `status` and `result`: print jobs of the jobs table, and fetch scores."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from dropscore.cli.deployment import Deployment, connect
from dropscore.cli.options import Env, Json, Local, Profile, Region, target
from dropscore.cli.output import printable, say, write_json
from dropscore.cli.show import as_dict, print_job, print_jobs
from dropscore.errors import ConfigurationError, JobFailedError
from dropscore.jobs.job import Job, State
from dropscore.jobs.routes import errors_key
from schema.keys import INPUT

JobOrFile = Annotated[
    str,
    typer.Argument(metavar="JOB|FILE", help="A job's id, or a file, which means its newest job for all of its rows."),
]


def jobs(
    context: typer.Context,
    status: Annotated[State | None, typer.Option(help="Only jobs with this status.")] = None,
    file: Annotated[str | None, typer.Option(help="Only jobs of this file (a key, or its part after input/).")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Only the newest N jobs.")] = 20,
    as_json: Json = False,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
    env: Env = None,
) -> None:
    """List jobs, newest first."""
    deployment = connect(target(context, local=local, profile=profile, region=region, env=env))
    found = _found(deployment, status, file, limit)
    write_json([as_dict(job) for job in found]) if as_json else print_jobs(found)


def status(
    context: typer.Context,
    job_or_file: JobOrFile,
    as_json: Json = False,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
    env: Env = None,
) -> None:
    """Show one job with all its attributes."""
    deployment = connect(target(context, local=local, profile=profile, region=region, env=env))
    job = job_of(deployment, job_or_file)
    write_json(as_dict(job)) if as_json else print_job(job)
    _say_relatives(deployment, job)


def result(
    context: typer.Context,
    job_or_file: JobOrFile,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write to this file.", show_default="stdout")] = None,
    as_json: Json = False,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
    env: Env = None,
) -> None:
    """Fetch a job's scores. With --json, print the job instead; --out then writes the scores."""
    deployment = connect(target(context, local=local, profile=profile, region=region, env=env))
    job = job_of(deployment, job_or_file)
    if job.status is not State.SUCCEEDED:
        why = f" ({printable(job.code)}: {printable(job.message)})" if job.code else ""
        raise JobFailedError(f"job {job.job_id} is {job.status}{why}; there are no scores to fetch")
    if out:
        fetch(deployment, job, out)
        say(f"{job.rows} rows of scores are in {printable(out)}")
    elif not as_json:
        scores = deployment.s3.get_object(Bucket=deployment.bucket, Key=job.output_key)["Body"]
        shutil.copyfileobj(scores, sys.stdout.buffer)
    if job.rows_rejected:
        say(f"{job.rows_rejected} rows were rejected: {printable(errors_key(job.output_key))}")
    if job.message:
        say(printable(job.message))
    _say_relatives(deployment, job)
    if as_json:
        write_json(as_dict(job))


def _say_relatives(deployment: Deployment, job: Job) -> None:
    """Names the jobs that scored a job's rejected rows again, and the job whose rejected rows this one scored."""
    if job.rejected_of:
        say(f"job {job.job_id} scored only the rows that job {printable(job.rejected_of)} rejected")
    for later in deployment.table.follow_ups(job) if job.rows_rejected else ():
        scored = f"{later.status}, {later.rows_scored} rows scored"
        say(f"job {printable(later.job_id)} scored its rejected rows again ({scored}): dropscore result {later.job_id}")


def fetch(deployment: Deployment, job: Job, out: Path) -> None:
    """Downloads a job's scores; `out` appears complete or not at all."""
    part = out.with_name(out.name + ".part")
    deployment.s3.download_file(deployment.bucket, job.output_key, str(part))
    part.replace(out)


def _found(deployment: Deployment, status: State | None, file: str | None, limit: int) -> list[Job]:
    if file:
        found = [job for job in deployment.table.by_file(key_of(file), limit=limit) if status in (None, job.status)]
    else:
        states = [status] if status else list(State)
        found = [job for state in states for job in deployment.table.by_status(state, limit=limit)]
    return sorted(found, key=lambda job: job.submitted_at, reverse=True)[:limit]


def job_of(deployment: Deployment, job_or_file: str) -> Job:
    """As `find`. Raises ConfigurationError if there is no such job."""
    job = find(deployment, job_or_file)
    if job is None:
        raise ConfigurationError(f"there is no job for {job_or_file!r}; list the jobs with `dropscore jobs`")
    return job


def find(deployment: Deployment, job_or_file: str) -> Job | None:
    """The job with that id, or the file's newest job for all of its rows; None if there is none."""
    # A follow-up of `retry --rejected-only` is newer, but has lines for rejected rows only, not for the whole file.
    # The two are not merged, because an output never changes once it is published.
    job = deployment.table.find(job_or_file) if re.fullmatch(r"[0-9a-f]{32}", job_or_file) else None
    return job or deployment.table.newest_of(key_of(job_or_file))


def key_of(file: str) -> str:
    """A file's key; the prefix input/ may be left out."""
    return file if file.startswith(INPUT) else INPUT + file
