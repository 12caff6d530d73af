"""`dropscore train`: train a model from labeled rows on this machine."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from dropscore.cli.output import printable, say
from dropscore.errors import ConfigurationError
from training.local_job import LocalJob, keep

INPUT = {"exists": True, "readable": True}


def train(
    data: Annotated[
        Path, typer.Option(help="CSV or Parquet, a file or a folder; the label is the first column.", **INPUT)
    ],
    validation: Annotated[Path | None, typer.Option(help="Rows for evaluation and early stopping.", **INPUT)] = None,
    hyperparameters: Annotated[
        Path | None, typer.Option(help="A JSON object, as for SageMaker.", dir_okay=False, **INPUT)
    ] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("-p", "--parameter", help="One hyperparameter, key=value; overrides the file.")
    ] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="Where to write the artifact.", dir_okay=False)] = Path(
        "model.tar.gz"
    ),
    report: Annotated[
        Path | None, typer.Option(help="Folder for the report; default: `report` beside the artifact.")
    ] = None,
    checkpoints: Annotated[
        Path | None, typer.Option(help="Folder for checkpoints, from which training resumes.", file_okay=False)
    ] = None,
    hosts: Annotated[
        int, typer.Option(help="Train as this many hosts, each a process on this machine.", min=1, max=16)
    ] = 1,
) -> None:
    """Train an XGBoost model as the container does on SageMaker, and write its artifact."""
    job = LocalJob(
        train=data,
        validation=validation,
        hyperparameters=chosen(hyperparameters, parameter or []),
        hosts=hosts,
        checkpoints=checkpoints,
    )
    place = report or out.parent / "report"
    with tempfile.TemporaryDirectory(prefix="dropscore-train-") as home:
        keep(job.run(Path(home)), out, place)
    artifact = printable(out)
    say(
        f"Wrote {artifact} and {printable(place)}/report.html. "
        f'To use it, set in dropscore.toml: artifact = "{artifact}"'
    )


def chosen(file: Path | None, pairs: Sequence[str]) -> dict[str, str]:
    """Return hyperparameters as text; the pairs override the file. Raises ConfigurationError."""
    found = _from_file(file) if file else {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise ConfigurationError(f"-p {pair}: write a hyperparameter as key=value, for example -p max_depth=4")
        found[name] = text
    return found


def _from_file(file: Path) -> dict[str, str]:
    try:
        values = json.loads(file.read_bytes())
    except ValueError as error:
        raise ConfigurationError(f"{file} is not JSON: {error}") from error
    if not isinstance(values, Mapping):
        raise ConfigurationError(f'{file} must hold a JSON object, for example {{"max_depth": "4"}}')
    return {str(name): text if isinstance(text, str) else json.dumps(text) for name, text in values.items()}
