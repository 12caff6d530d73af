"""`dropscore model check`: the report on stdout, talk on stderr; exit code 0 good, 1 a check failed, 3 not started."""

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
    what: Annotated[str, typer.Argument(metavar="ARTIFACT|IMAGE|URL", help="A model, an image, or a running server.")],
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
    """Find out whether a model's container keeps to the contract, and what to do where it does not."""
    from model_tools.conformance import report
    from model_tools.conformance.examination import examine
    from model_tools.conformance.subject import Bounds

    with talk.status("starting …") as status, _subject(what, sample, model, engine, Bounds()) as subject:
        findings = examine(subject, starting=lambda check: status.update(f"{check.name}: {check.demands}"))
    if as_json:
        write_json(report.as_dict(what, findings))
    else:
        report.print_table(findings)
    raise typer.Exit(0 if report.is_good(findings) else 1)


def _subject(
    what: str, sample: Path | None, model: Path | None, engine: str | None, bounds: Bounds
) -> AbstractContextManager[Subject]:
    from model_tools.conformance import targets
    from model_tools.conformance.engine import Engine

    shown = printable(what)
    is_url, is_file = what.startswith(("http://", "https://")), Path(what).is_file()
    if model is not None and (is_url or is_file):
        raise typer.BadParameter("--model is what an IMAGE gets under /opt/ml/model; this is none")
    if is_url:
        if sample is None:
            raise typer.BadParameter(f"what rows the server takes is not known; {targets.SAMPLE_FIX}")
        return targets.address(what, sample, bounds)
    if is_file:
        return targets.artifact(Path(what), sample, bounds)
    if Path(what).is_dir():
        raise typer.BadParameter(f"{shown} is a folder; build it, `docker build -t NAME {shown}`, and check the image")
    if what.endswith(FILE_ENDINGS):
        raise typer.BadParameter(f"there is no file {shown}")
    if sample is None and model is None:
        raise typer.BadParameter(f"what rows the image takes is not known; {targets.SAMPLE_FIX}")
    return targets.image(what, model, sample, Engine.named(engine), bounds)
