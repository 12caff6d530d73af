"""`dropscore model …`: import a model, show one, check a container that serves one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from dropscore.cli.output import printable, say, write, write_json
from model_tools.artifact import Manifest
from model_tools.conformance.cli import check
from model_tools.importing.command import import_artifact, read_manifest

app = typer.Typer(help="Bring your own model.", no_args_is_help=True)
app.command()(check)
ARTIFACT = typer.Argument(exists=True, dir_okay=False, readable=True)
JSON = typer.Option("--json", help="Print the manifest as JSON.")


@app.command("import")
def import_(
    artifact: Annotated[Path, ARTIFACT],
    out: Annotated[Path, typer.Option("-o", "--out", help="Where to write the artifact.", dir_okay=False)],
    as_json: Annotated[bool, JSON] = False,
    trees_a_round: Annotated[
        int | None, typer.Option(min=1, help="num_parallel_tree of training, if an old file does not have it.")
    ] = None,
) -> None:
    """Convert an XGBoost .json, .ubj, binary, pickle or joblib, or a tar of one, into an artifact (model.tar.gz)."""
    manifest = import_artifact(artifact, out, trees_a_round=trees_a_round)
    _print(manifest, as_json=as_json)
    say(f'Wrote {printable(out)}. To use it, set in dropscore.toml: artifact = "{printable(out)}"')


@app.command()
def show(artifact: Annotated[Path, ARTIFACT], as_json: Annotated[bool, JSON] = False) -> None:
    """Print the manifest of an artifact, after checking that it matches the model."""
    _print(read_manifest(artifact), as_json=as_json)


def _print(manifest: Manifest, *, as_json: bool) -> None:
    if as_json:
        write_json(json.loads(manifest.to_json()))
        return
    for name, value in _lines(manifest).items():
        write(f"{name:<15}{printable(value)}")


def _lines(manifest: Manifest) -> dict[str, str]:
    return {
        "model": f"{manifest.model}, sha256 {manifest.sha256}",
        "objective": manifest.objective,
        "features": str(manifest.features),
        "outputs": f"{manifest.outputs} per row",
        "trees": f"{manifest.trees}, predicts with {manifest.iterations} rounds",
        "missing": "an empty cell" if manifest.missing is None else f"an empty cell or {manifest.missing:g}",
        "categorical": "no column" if not manifest.categorical else f"codes in columns {_listed(manifest.categorical)}",
        "source": f"{manifest.source.name}: {manifest.source.format}",
        "source sha256": manifest.source.sha256,
        "converted with": manifest.converted_with or "nothing: no conversion was needed",
        "verified": f"{manifest.verified_rows} random rows score the same",
    }


def _listed(columns: tuple[int, ...]) -> str:
    return ", ".join(map(str, columns))
