"""Jobs on a terminal, and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from rich.table import Table

from dropscore.cli.output import cell, write_table
from dropscore.jobs.job import Job, State

COLOURS = {State.SUCCEEDED: "green", State.FAILED: "red", State.REJECTED: "red", State.RUNNING: "cyan"}


def as_dict(job: Job) -> dict[str, Any]:
    """The job's item, attributes that it does not have yet left out."""
    return {name: value for name, value in asdict(job).items() if value is not None}


def print_job(job: Job) -> None:
    """Every attribute of one job, a line each."""
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in as_dict(job).items():
        table.add_row(name, cell(value, _colour(job) if name == "status" else ""))
    write_table(table)


def print_jobs(jobs: Iterable[Job]) -> None:
    table = Table(box=None, pad_edge=False)
    for heading, least in (
        ("job", 32),
        ("status", 9),
        ("file", None),
        ("submitted", 24),
        ("rows", None),
        ("code", None),
    ):
        table.add_column(heading, min_width=least, overflow="fold")
    for job in jobs:
        rows = str(job.rows_scored) if job.rows is None else f"{job.rows_scored}/{job.rows}"
        file = f"{job.file} (rejected rows only)" if job.rejected_of else job.file
        others = (cell(value) for value in (file, job.submitted_at, rows, job.code or ""))
        table.add_row(cell(job.job_id), cell(job.status, _colour(job)), *others)
    write_table(table)


def _colour(job: Job) -> str:
    return COLOURS.get(job.status, "yellow")
