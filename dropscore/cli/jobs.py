"""`dropscore jobs`, `status` and `result`: what the jobs table says, and the scores themselves."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from dropscore.cli.deployment import Deployment, deployment
from dropscore.cli.options import Env, Json, Local, Profile, Region, target
from dropscore.cli.show import as_dict, print_job, print_jobs, print_json, talk
from dropscore.errors import ConfigurationError, JobFailedError
from dropscore.jobs import Job, State
from dropscore.routes import INPUT, errors_key

Which = Annotated[str, typer.Argument(metavar="JOB|FILE", help="A job's id, or a file: its newest job is meant.")]


def jobs(
    context: typer.Context,
    status: Annotated[State | None, typer.Option(help="Only jobs in this state.")] = None,
    file: Annotated[str | None, typer.Option(help="Only jobs of this file (a key, or its part after input/).")] = None,
    limit: Annotated[int, typer.Option(min=1, help="The newest N.")] = 20,
    as_json: Json = False,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
    env: Env = None,
) -> None:
    """List jobs, newest first."""
    there = deployment(target(context, local=local, profile=profile, region=region, env=env))
    found = _found(there, status, file, limit)
    print_json([as_dict(job) for job in found]) if as_json else print_jobs(found)


def status(
    context: typer.Context,
    which: Which,
    as_json: Json = False,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
    env: Env = None,
) -> None:
    """Show one job's row of the jobs table."""
    there = deployment(target(context, local=local, profile=profile, region=region, env=env))
    job = job_of(there, which)
    print_json(as_dict(job)) if as_json else print_job(job)


def result(
    context: typer.Context,
    which: Which,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write here.", show_default="stdout")] = None,
    as_json: Json = False,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
    env: Env = None,
) -> None:
    """Fetch one job's scores; with --json the job's row is printed, and --out is needed for the scores."""
    there = deployment(target(context, local=local, profile=profile, region=region, env=env))
    job = job_of(there, which)
    if job.status is not State.SUCCEEDED:
        why = f" ({job.code}: {job.message})" if job.code else ""
        raise JobFailedError(f"job {job.job_id} is {job.status}{why}; there are no scores to fetch")
    if out:
        fetch(there, job, out)
        talk.print(f"{job.rows} scores are in {out}", markup=False)
    elif not as_json:
        body = there.s3.get_object(Bucket=there.bucket, Key=job.output_key)["Body"]
        shutil.copyfileobj(body, sys.stdout.buffer)
    if job.rows_rejected:
        talk.print(f"{job.rows_rejected} rows were rejected: {errors_key(job.output_key)}", markup=False)
    if as_json:
        print_json(as_dict(job))


def fetch(there: Deployment, job: Job, out: Path) -> None:
    """Downloads a job's scores; `out` appears whole or not at all."""
    part = out.with_name(out.name + ".part")
    there.s3.download_file(there.bucket, job.output_key, str(part))
    part.replace(out)


def _found(there: Deployment, status: State | None, file: str | None, limit: int) -> list[Job]:
    if file:
        found = [job for job in there.table.by_file(key_of(file), limit=limit) if status in (None, job.status)]
    else:
        states = [status] if status else list(State)
        found = [job for state in states for job in there.table.by_status(state, limit=limit)]
    return sorted(found, key=lambda job: job.submitted_at, reverse=True)[:limit]


def job_of(there: Deployment, which: str) -> Job:
    job = find(there, which)
    if job is None:
        raise ConfigurationError(f"there is no job for {which!r}; `dropscore jobs` lists those there are")
    return job


def find(there: Deployment, which: str) -> Job | None:
    """The job of that id, or the newest one of that file."""
    if re.fullmatch(r"[0-9a-f]{32}", which):
        return there.table.find(which)
    return next(iter(there.table.by_file(key_of(which), limit=1)), None)


def key_of(file: str) -> str:
    """A file's key; what stands before input/ may be left out."""
    return file if file.startswith(INPUT) else INPUT + file
