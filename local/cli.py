"""`dropscore local …`: commands for the embedded cloud. Results go to stdout, messages to stderr."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import Annotated

import typer

from dropscore.cli.options import Json
from dropscore.cli.output import printable, say, write, write_json
from dropscore.cli.score import is_clean
from dropscore.cli.show import as_dict, print_job
from dropscore.cli.uploads import Drop, Paths, drops
from dropscore.errors import ConfigurationError
from dropscore.jobs.input_keys import Inputs
from dropscore.jobs.job import State

app = typer.Typer(no_args_is_help=True, help="Run everything on this machine, without an AWS account.")

ENDINGS = re.compile(r"(\.csv)?(\.gz)?$", re.IGNORECASE)


@app.command()
def run(
    paths: Paths,
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="ARTIFACT", exists=True, dir_okay=False, help="Your model file; default: the configured one."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Where to write the scores; a folder for several files."),
    ] = None,
    as_json: Json = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the cloud's logs and state.")] = False,
) -> None:
    """Score files in an embedded cloud that runs only for this command.

    Options in FILE.job.json beside a file apply to it. Exits 0 only if every row is scored.
    """
    from local import one_shot
    from local.cloud import Clock
    from local.deployment.synthesis import input_names

    clock = Clock()
    files = drops(paths, Inputs(input_names(os.environ)))
    _check_folders(paths, out)
    places = targets(files, out, is_folder=any(map(Path.is_dir, paths)))
    orders = [one_shot.Order(drop, place) for drop, place in zip(files, places, strict=True)]
    try:
        jobs = one_shot.score_files(orders, model, keep, say, clock)
    finally:
        say("time: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in clock.seconds.items()))
    if as_json:
        write_json([as_dict(job) | {"scores": str(order.target)} for job, order in zip(jobs, orders, strict=True)])
    for job, order in zip(jobs, orders, strict=True):
        if not as_json:
            print_job(job)
        succeeded = job.status is State.SUCCEEDED
        result = f"scores in {printable(order.target)}" if succeeded else f"{job.status}: {printable(job.message)}"
        say(f"{printable(order.drop.name)}: {result}")
        if job.rows_rejected:
            say(f"{printable(order.drop.name)}: {job.rows_rejected} rows were rejected, see {printable(order.errors)}")
        if succeeded and job.message:
            say(f"{printable(order.drop.name)}: {printable(job.message)}")
    raise typer.Exit(0 if all(is_clean(job) for job in jobs) else 1)


@app.command()
def up() -> None:
    """Start the embedded cloud and leave it running; other commands use it with --local."""
    from local.cloud import HOME, Clock, bring_up, exclusive

    with exclusive(HOME):
        cloud = bring_up(HOME, os.environ, say, Clock())
    write(cloud.endpoint_url)


@app.command()
def down() -> None:
    """Stop the embedded cloud; its bucket, table and jobs are kept for the next `up`."""
    from local.cloud import HOME, exclusive, find

    with exclusive(HOME):
        cloud = find(HOME)
        if cloud is not None:
            cloud.stop()
    say("no embedded cloud is running" if cloud is None else f"stopped; its state is kept in {HOME}")


@app.command()
def status(as_json: Json = False) -> None:
    """Show whether the embedded cloud is running, and where. Exits 1 if it is not."""
    from local.cloud import HOME, find

    cloud = find(HOME)
    is_running = cloud is not None and cloud.is_running
    details = (
        {"endpoint_url": cloud.endpoint_url, "shim_url": cloud.shim_url, **cloud.outputs}
        if cloud and is_running
        else {}
    )
    if as_json:
        write_json({"running": is_running, **details})
    else:
        write("up" if is_running else "down")
        for name, value in details.items():
            write(f"{printable(name)}  {printable(value)}")
    raise typer.Exit(0 if is_running else 1)


@app.command()
def credentials(
    as_json: Annotated[bool, typer.Option("--json", help="Print the format of `credential_process`.")] = False,
) -> None:
    """Print shell commands that point AWS tools at the embedded cloud: eval "$(dropscore local credentials)"."""
    from local.cloud import HOME, find

    cloud = find(HOME)
    if cloud is None or not cloud.is_running:
        raise ConfigurationError("no embedded cloud is running; start one with `dropscore local up`")
    if as_json:
        names = {"aws_access_key_id": "AccessKeyId", "aws_secret_access_key": "SecretAccessKey"}
        write_json({"Version": 1, **{names[name]: value for name, value in cloud.root.items()}})
        return
    for name, value in cloud.environment().items():
        write(f"export {name}={shlex.quote(value)}")
    # A session token that is still set would be sent with root's key, and refused.
    write("unset AWS_SESSION_TOKEN AWS_PROFILE")


def _check_folders(paths: list[Path], out: Path | None) -> None:
    """Refuse to write scores into an input folder: the next run would score them as inputs."""
    for folder in filter(Path.is_dir, paths):
        if out is None:
            raise typer.BadParameter(f"pass --out to say where to write the scores of {printable(folder)}")
        if out.resolve().is_relative_to(folder.resolve()):
            raise typer.BadParameter(f"--out must be outside {printable(folder)}, which holds the inputs")


def targets(files: list[Drop], out: Path | None, *, is_folder: bool = False) -> list[Path]:
    """The path of each file's scores: `NAME.scores.csv` in the working directory, `out` itself, or a file in `out`.

    Files from a folder (`is_folder`) keep their paths below it. Raises typer.BadParameter if two paths would be equal
    or a score file would replace an input.
    """
    stems = [ENDINGS.sub("", drop.name, count=1) for drop in files]
    if len(set(stems)) < len(stems):
        raise typer.BadParameter("two files differ only in .csv or .gz, so their score files would collide; rename one")
    found = _targets(stems, out, is_single=len(files) == 1 and not is_folder)
    given = {drop.file.resolve() for drop in files}
    for drop, target in zip(files, found, strict=True):
        if target.resolve() in given:
            raise typer.BadParameter(
                f"the scores of {printable(drop.file)} would overwrite the input {printable(target)}; change --out"
            )
    return found


def _targets(stems: list[str], out: Path | None, *, is_single: bool) -> list[Path]:
    if out is not None and is_single and not out.is_dir():
        return [out]
    if out is not None and out.exists() and not out.is_dir():
        raise typer.BadParameter(f"--out must be a folder for several files, but {printable(out)} is a file")
    return [(out or Path()) / f"{stem}.scores.csv" for stem in stems]
