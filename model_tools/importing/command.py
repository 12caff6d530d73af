"""Import a model file as an artifact."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from model_tools.artifact import MANIFEST, Manifest, Source, digest, pack
from model_tools.errors import Code, ModelImportError
from model_tools.importing.conversion import Converted, convert
from model_tools.sandbox.budget import SIZE_LIMIT_BYTES
from model_tools.sandbox.sandbox import Limits, Sandbox

READ = "model_tools.importing.reading"
CHECKED = ("features", "objective", "outputs", "trees", "iterations", "categorical")


def import_artifact(source: Path, destination: Path, *, trees_a_round: int | None = None) -> Manifest:
    """Write the artifact of the model in `source` to `destination`, and return its manifest.

    `trees_a_round` is the num_parallel_tree of training, which files from before XGBoost 1.6 may lack. Sandboxed
    processes read the file, never this one. An existing artifact is verified like any other model, and its manifest
    must match. Raises ModelImportError, and then writes nothing.
    """
    with tempfile.TemporaryDirectory() as folder:
        sandbox, here = _read(source, Path(folder), trees_a_round)
        (converted,) = convert([here], sandbox)
        manifest = _manifest(here, source.name, converted)
        pack(destination, manifest, converted.model)
    return manifest


def _read(source: Path, folder: Path, trees_a_round: int | None) -> tuple[Sandbox, Path]:
    """Find the model in `source`. Return its sandbox, and the folder that has the model, not loaded yet."""
    size, here = _size(source), folder / "model"
    sandbox = Sandbox(folder, Limits.of(size))
    words = (str(source.resolve()), str(here), str(trees_a_round or 0))
    sandbox.run(Path(sys.executable), READ, *words, read_bytes=size)
    return sandbox, here


def _size(source: Path) -> int:
    if not source.is_file():
        raise ModelImportError(f"{source} is not a file", code=Code.NOT_A_MODEL)
    size = source.stat().st_size
    if size > SIZE_LIMIT_BYTES:
        raise ModelImportError(f"{source} exceeds the limit of {SIZE_LIMIT_BYTES} bytes", code=Code.TOO_LARGE)
    return size


def _manifest(here: Path, name: str, converted: Converted) -> Manifest:
    order = json.loads((here / "order.json").read_text())
    found = Manifest(
        model="model.ubj",
        sha256=digest(converted.model),
        features=converted.shape.features,
        objective=converted.shape.objective,
        outputs=converted.shape.outputs,
        trees=converted.shape.trees,
        iterations=converted.iterations,
        missing=order["missing"],
        categorical=converted.categorical,
        feature_names=None if converted.shape.names is None else tuple(converted.shape.names),
        source=Source(name=name, sha256=(here / "sha256").read_text(), format=order["format"]),
        converted_with=converted.converted_with,
        verified_rows=converted.verified_rows,
    )
    stated = here / "stated.json"
    return _check_manifest(Manifest.from_json(stated.read_bytes()), found) if stated.exists() else found


def _check_manifest(stated: Manifest, found: Manifest) -> Manifest:
    """Check an artifact's own manifest against the model, and return it.

    It gets the model's feature names if it has none, and may name the features of a model without names.
    """
    for field in CHECKED:
        _check(field, getattr(stated, field), getattr(found, field))
    names = stated.feature_names or found.feature_names
    if found.feature_names:
        _check("feature_names", names, found.feature_names)
    elif names:
        _check("the number of feature_names", len(names), found.features)
    return replace(stated, feature_names=names, verified_rows=found.verified_rows)


def _check(field: str, stated: object, found: object) -> None:
    if stated != found:
        raise ModelImportError(
            f"its manifest says {field} {stated!r:.100}, but the model has {found!r:.100}. Import the model again, "
            "without the manifest",
            code=Code.WRONG_MANIFEST,
        )


def read_manifest(source: Path) -> Manifest:
    """Return the manifest of an artifact after checking its model's sha256, without loading the model.

    Raises ModelImportError.
    """
    with tempfile.TemporaryDirectory() as folder:
        _, here = _read(source, Path(folder), None)
        stated = here / "stated.json"
        if not stated.exists():
            raise ModelImportError(
                f"it has no {MANIFEST}, so it is not an artifact. Make one with dropscore model import",
                code=Code.NOT_A_MODEL,
            )
        return Manifest.from_json(stated.read_bytes())
