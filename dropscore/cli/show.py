"""Jobs on a terminal, and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from rich.table import Table

from dropscore.cli.output import cell, write_table
from dropscore.jobs.job import Job, State

COLORS = {State.SUCCEEDED: "green", State.FAILED: "red", State.REJECTED: "red", State.RUNNING: "cyan"}


def as_dict(job: Job) -> dict[str, Any]:
    """The job's attributes, without those that it does not have yet."""
    return {name: value for name, value in asdict(job).items() if value is not None}


def print_job(job: Job) -> None:
    """Prints every attribute of one job, one on each line."""
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in as_dict(job).items():
        table.add_row(name, cell(value, _color(job) if name == "status" else ""))
    write_table(table)


def print_jobs(jobs: Iterable[Job]) -> None:
    """Prints a table with one line for each job."""
    table = Table(box=None, pad_edge=False)
    for heading, min_width in (
        ("job", 32),
        ("status", 9),
        ("file", None),
        ("submitted", 24),
        ("rows", None),
        ("code", None),
    ):
        table.add_column(heading, min_width=min_width, overflow="fold")
    for job in jobs:
        rows = str(job.rows_scored) if job.rows is None else f"{job.rows_scored}/{job.rows}"
        file = f"{job.file} (rejected rows only)" if job.rejected_of else job.file
        others = (cell(value) for value in (file, job.submitted_at, rows, job.code or ""))
        table.add_row(cell(job.job_id), cell(job.status, _color(job)), *others)
    write_table(table)


def _color(job: Job) -> str:
    return COLORS.get(job.status, "yellow")
