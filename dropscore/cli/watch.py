"""Waiting for jobs to end, with their progress on the terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from dropscore.aws.table import JobsTable
from dropscore.cli.output import printable, talk
from dropscore.jobs.job import Job

POLL_SECONDS = 0.5


def wait(table: JobsTable, names: dict[str, str], *, sleep: Callable[[float], None] = time.sleep) -> list[Job]:
    """The final state of each job, in the order of `names`, which maps job ids to names for people.

    Also waits for jobs that are not in the table yet. Ctrl-C ends the wait, but not the jobs.
    """
    columns = (_text("{task.description}"), BarColumn(), _text("{task.fields[progress]}"), TimeElapsedColumn())
    with Progress(*columns, console=talk, disable=not talk.is_terminal) as display:
        tasks = {
            job_id: display.add_task(printable(name), total=None, progress="waiting") for job_id, name in names.items()
        }
        jobs: dict[str, Job] = {}
        while not _ended(jobs, names):
            for job_id in names:
                found = table.find(job_id)
                if found:
                    jobs[job_id] = found
                    _show(display, tasks[job_id], found)
            sleep(0 if _ended(jobs, names) else POLL_SECONDS)
    return [jobs[job_id] for job_id in names]


def _text(template: str) -> TextColumn:
    return TextColumn(template, markup=False)


def _ended(jobs: dict[str, Job], names: Sequence[str] | dict[str, str]) -> bool:
    return len(jobs) == len(names) and all(job.status.is_final for job in jobs.values())


def _show(display: Progress, task: TaskID, job: Job) -> None:
    progress = f"{job.status} {job.rows_scored:,} rows"
    done = {"total": 1, "completed": 1} if job.status.is_final else {}
    display.update(task, progress=progress, **done)  # type: ignore[arg-type]
