"""`dropscore model check`: report on stdout, progress on stderr. Exit code 0 good, 1 a check failed, 3 not started."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dropscore.cli.options import Json
from dropscore.cli.output import printable, talk, write_json

if TYPE_CHECKING:
    from model_tools.conformance.subject import Bounds, Subject

FILE_ENDINGS = (".tar.gz", ".tgz", ".json", ".ubj", ".pkl", ".joblib", ".bin", ".model")


def check(
    target: Annotated[
        str, typer.Argument(metavar="ARTIFACT|IMAGE|URL", help="A model, an image, or a running server.")
    ],
    sample: Annotated[
        Path | None, typer.Option(metavar="FILE", exists=True, dir_okay=False, help="Rows that the model can score.")
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(metavar="ARTIFACT", exists=True, dir_okay=False, help="For an IMAGE: its model.tar.gz."),
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help="docker, podman, or a command.", show_default="$DROPSCORE_ENGINE, or docker")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check whether a model's container follows the contract, and how to fix what does not."""
    from model_tools.conformance import report
    from model_tools.conformance.examination import examine
    from model_tools.conformance.subject import Bounds

    with talk.status("starting …") as status, _subject(target, sample, model, engine, Bounds()) as subject:
        findings = examine(subject, starting=lambda check: status.update(f"{check.name}: {check.demands}"))
    if as_json:
        write_json(report.as_dict(target, findings))
    else:
        report.print_table(findings)
    raise typer.Exit(0 if report.is_good(findings) else 1)


def _subject(
    target: str, sample: Path | None, model: Path | None, engine: str | None, bounds: Bounds
) -> AbstractContextManager[Subject]:
    from model_tools.conformance import targets
    from model_tools.conformance.engine import Engine

    shown = printable(target)
    is_url, is_file = target.startswith(("http://", "https://")), Path(target).is_file()
    if model is not None and (is_url or is_file):
        raise typer.BadParameter("--model works only with an IMAGE, which gets it under /opt/ml/model")
    if is_url:
        if sample is None:
            raise typer.BadParameter(f"a URL needs sample rows: {targets.SAMPLE_FIX}")
        return targets.address(target, sample, bounds)
    if is_file:
        return targets.artifact(Path(target), sample, bounds)
    if Path(target).is_dir():
        raise typer.BadParameter(
            f"{shown} is a folder; build it with `docker build -t NAME {shown}`, then check the image"
        )
    if target.endswith(FILE_ENDINGS):
        raise typer.BadParameter(f"the file {shown} does not exist")
    if sample is None and model is None:
        raise typer.BadParameter(f"an image without --model needs sample rows: {targets.SAMPLE_FIX}")
    return targets.image(target, model, sample, Engine.named(engine), bounds)
