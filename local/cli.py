"""`dropscore local …`: the embedded cloud on the command line. Data on stdout, talk on stderr."""

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

app = typer.Typer(no_args_is_help=True, help="Everything on this machine: no AWS account needed.")

ENDINGS = re.compile(r"(\.csv)?(\.gz)?$", re.IGNORECASE)


@app.command()
def run(
    paths: Paths,
    model: Annotated[
        Path | None,
        typer.Option(metavar="ARTIFACT", exists=True, dir_okay=False, help="Your own model, as you have it."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Where the scores go; a folder for several files.")
    ] = None,
    as_json: Json = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the cloud's logs and state behind.")] = False,
) -> None:
    """Score files in a cloud that lives as long as the command; FILE.job.json beside one is heeded.

    Exits 0 only when every row has its score.
    """
    from local import run as main_job
    from local.cloud import Clock
    from local.deployment.synthesis import input_names

    clock = Clock()
    files = drops(paths, Inputs(input_names(os.environ)))
    _check_folders(paths, out)
    places = targets(files, out, is_folder=any(map(Path.is_dir, paths)))
    orders = [main_job.Order(drop, place) for drop, place in zip(files, places, strict=True)]
    try:
        jobs = main_job.run(orders, model, keep, say, clock)
    finally:
        say("time: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in clock.seconds.items()))
    if as_json:
        write_json([as_dict(job) | {"scores": str(order.target)} for job, order in zip(jobs, orders, strict=True)])
    for job, order in zip(jobs, orders, strict=True):
        if not as_json:
            print_job(job)
        succeeded = job.status is State.SUCCEEDED
        said = f"scores in {printable(order.target)}" if succeeded else f"{job.status}: {printable(job.message)}"
        say(f"{printable(order.drop.name)}: {said}")
        if job.rows_rejected:
            say(f"{printable(order.drop.name)}: {job.rows_rejected} rows were rejected, see {printable(order.errors)}")
        if succeeded and job.message:
            say(f"{printable(order.drop.name)}: {printable(job.message)}")
    raise typer.Exit(0 if all(is_clean(job) for job in jobs) else 1)


@app.command()
def up() -> None:
    """Start the embedded cloud and leave it running; every other command talks to it with --local."""
    from local.cloud import HOME, Clock, bring_up, exclusive

    with exclusive(HOME):
        cloud = bring_up(HOME, os.environ, say, Clock())
    write(cloud.endpoint_url)


@app.command()
def down() -> None:
    """Stop the embedded cloud; bucket, table and jobs are kept for the next `up`."""
    from local.cloud import HOME, exclusive, find

    with exclusive(HOME):
        cloud = find(HOME)
        if cloud is not None:
            cloud.stop()
    say("no embedded cloud is running" if cloud is None else f"stopped; its state is kept in {HOME}")


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
        write_json({"running": is_running, **known})
    else:
        write("up" if is_running else "down")
        for name, value in known.items():
            write(f"{printable(name)}  {printable(value)}")
    raise typer.Exit(0 if is_running else 1)


@app.command()
def credentials(
    as_json: Annotated[
        bool, typer.Option("--json", help="As a `credential_process` of the AWS configuration file prints them.")
    ] = False,
) -> None:
    """Print what gives other programs access to the embedded cloud: eval "$(dropscore local credentials)"."""
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
    write("unset AWS_SESSION_TOKEN AWS_PROFILE")


def _check_folders(paths: list[Path], out: Path | None) -> None:
    """Scores that came to lie among the files of a folder would themselves be scored the next time."""
    for folder in filter(Path.is_dir, paths):
        if out is None:
            raise typer.BadParameter(f"say by --out where the scores of the files in {printable(folder)} go")
        if out.resolve().is_relative_to(folder.resolve()):
            raise typer.BadParameter(f"--out must not lie in {printable(folder)}, whose files are scored")


def targets(files: list[Drop], out: Path | None, *, is_folder: bool = False) -> list[Path]:
    """Where each file's scores go: `NAME.scores.csv` in the working directory, at `out`, or in the folder `out`.

    The files of a folder keep their paths below it; `is_folder`: they came from one.
    """
    stems = [ENDINGS.sub("", drop.name, count=1) for drop in files]
    if len(set(stems)) < len(stems):
        raise typer.BadParameter("two files have the same name but for .csv or .gz, and so would their scores")
    found = _targets(stems, out, is_single=len(files) == 1 and not is_folder)
    given = {drop.file.resolve() for drop in files}
    for drop, target in zip(files, found, strict=True):
        if target.resolve() in given:
            raise typer.BadParameter(
                f"the scores of {printable(drop.file)} would be written over {printable(target)}, which is to be scored"
            )
    return found


def _targets(stems: list[str], out: Path | None, *, is_single: bool) -> list[Path]:
    if out is not None and is_single and not out.is_dir():
        return [out]
    if out is not None and out.exists() and not out.is_dir():
        raise typer.BadParameter(f"with several files, --out must be a folder, and {printable(out)} is not one")
    return [(out or Path()) / f"{stem}.scores.csv" for stem in stems]
