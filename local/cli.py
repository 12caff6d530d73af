"""`dropscore local …`: the embedded cloud on the command line. Data on stdout, talk on stderr."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dropscore.cli.options import Json
from dropscore.cli.score import is_clean
from dropscore.cli.show import as_dict, print_job, print_json, talk
from dropscore.jobs import State

if TYPE_CHECKING:
    from local.cloud import Cloud

app = typer.Typer(no_args_is_help=True, help="Everything on this machine: no AWS account needed.")

CSV = re.compile(r"(.+)\.csv(?:\.gz)?", re.IGNORECASE)
Files = Annotated[list[Path], typer.Argument(metavar="FILE…", exists=True, dir_okay=False, readable=True)]


@app.command()
def run(
    files: Files,
    model: Annotated[
        Path | None,
        typer.Option(metavar="ARTEFACT", exists=True, dir_okay=False, help="Your own model, as you have it."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Where the scores go; a folder when there are several files.")
    ] = None,
    as_json: Json = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the cloud's logs and state behind.")] = False,
) -> None:
    """Score FILEs (.csv or .csv.gz) in a cloud that lives as long as the command; FILE.job.json beside one is heeded.

    Exits 0 only when every row has its score.
    """
    from local import run as main_job
    from local.cloud import Clock

    clock = Clock()
    orders = [main_job.Order(file, target) for file, target in zip(files, targets(files, out), strict=True)]
    try:
        jobs = main_job.run(orders, model, keep, _say, clock)
    finally:
        _say("time: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in clock.seconds.items()))
    if as_json:
        print_json([as_dict(job) | {"scores": str(order.target)} for job, order in zip(jobs, orders, strict=True)])
    for job, order in zip(jobs, orders, strict=True):
        if not as_json:
            print_job(job)
        succeeded = job.status is State.SUCCEEDED
        _say(f"{order.file.name}: {f'scores in {order.target}' if succeeded else f'{job.status}: {job.message}'}")
        if job.rows_rejected:
            _say(f"{order.file.name}: {job.rows_rejected} rows were rejected, see {order.errors}")
    raise typer.Exit(0 if all(is_clean(job) for job in jobs) else 1)


@app.command()
def up() -> None:
    """Start the embedded cloud and leave it running; every other command talks to it with --local."""
    from local.cloud import HOME, exclusive

    with exclusive(HOME):
        cloud = _up()
    print(cloud.endpoint_url)


def _up() -> Cloud:
    from local.cloud import HOME, Clock, find, launch
    from local.synthesis import synthesize

    cloud = find(HOME)
    if cloud is not None and cloud.is_running and cloud.digest == synthesize(os.environ).digest:
        _say("it is already up, and deployed as the tree is now")
        return cloud
    if cloud is not None:
        cloud.stop()
    cloud = launch(HOME, os.environ, _say, Clock())
    _say("not emulated:\n" + "\n".join(f"  - {note}" for note in cloud.not_emulated))
    return cloud


@app.command()
def down() -> None:
    """Stop the embedded cloud; bucket, table and jobs are kept for the next `up`."""
    from local.cloud import HOME, exclusive, find

    with exclusive(HOME):
        cloud = find(HOME)
        if cloud is not None:
            cloud.stop()
    _say("no embedded cloud is running" if cloud is None else f"stopped; its state is kept in {HOME}")


@app.command()
def status(as_json: Json = False) -> None:
    """Whether the embedded cloud runs, and where. Exits 1 when it does not."""
    from local.cloud import HOME, find

    cloud = find(HOME)
    is_running = cloud is not None and cloud.is_running
    known = (
        {"endpoint_url": cloud.endpoint_url, "shim_url": cloud.shim_url, **cloud.outputs}
        if cloud and is_running
        else {}
    )
    if as_json:
        print_json({"running": is_running, **known})
    else:
        print("up" if is_running else "down")
        for name, value in known.items():
            print(f"{name}  {value}")
    raise typer.Exit(0 if is_running else 1)


def targets(files: list[Path], out: Path | None) -> list[Path]:
    """Where each file's scores go: `NAME.scores.csv` in the working directory, at `out`, or in the folder `out`."""
    stems = [_stem(file.name) for file in files]
    if len(set(stems)) < len(stems):
        raise typer.BadParameter("two files have the same name but for .csv or .csv.gz, and so would their scores")
    if out is not None and len(files) == 1 and not out.is_dir():
        return [out]
    if out is not None and out.exists() and not out.is_dir():
        raise typer.BadParameter(f"with several files, --out must be a folder, and {out} is not one")
    return [(out or Path()) / f"{stem}.scores.csv" for stem in stems]


def _stem(name: str) -> str:
    said = CSV.fullmatch(name)
    if said is None:
        raise typer.BadParameter(f"{name!r} would not be scored: a file's name must end in .csv or .csv.gz")
    return said[1]


def _say(text: str) -> None:
    talk.print(text, markup=False, highlight=False, soft_wrap=True)
