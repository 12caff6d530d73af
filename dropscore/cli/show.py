"""Jobs on a terminal, and as JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dropscore.jobs import Job, State

COLOURS = {State.SUCCEEDED: "green", State.FAILED: "red", State.REJECTED: "red", State.RUNNING: "cyan"}

talk = Console(stderr=True)


def as_dict(job: Job) -> dict[str, Any]:
    """The job's item, attributes that it does not have yet left out."""
    return {name: value for name, value in asdict(job).items() if value is not None}


def print_json(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def print_job(job: Job) -> None:
    """Every attribute of one job, a line each."""
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in as_dict(job).items():
        table.add_row(name, _coloured(job.status) if name == "status" else escape(str(value)))
    _console().print(table)


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
        table.add_row(job.job_id, _coloured(job.status), escape(job.file), job.submitted_at, rows, job.code or "")
    _console().print(table)


def _console() -> Console:
    """A terminal as wide as it is; what goes into a pipe or a file is never folded."""
    return Console() if sys.stdout.isatty() else Console(width=1000)


def _coloured(status: State) -> str:
    return f"[{COLOURS.get(status, 'yellow')}]{status}[/]"
