"""Import: what people have → the artifact that we serve."""

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
    """Write the served artifact of the model in `source` to `destination`; nothing is written when it fails.

    `trees_a_round` is the num_parallel_tree of training, for files of before 1.6 that early stopping left without it.
    This process never reads the file: others do, under limits. An artifact of ours is loaded and verified like any
    other, and its manifest must say what its model is.
    """
    with tempfile.TemporaryDirectory() as folder:
        sandbox, here = _read(source, Path(folder), trees_a_round)
        (converted,) = convert([here], sandbox)
        manifest = _manifest(here, source.name, converted)
        pack(destination, manifest, converted.model)
    return manifest


def _read(source: Path, folder: Path, trees_a_round: int | None) -> tuple[Sandbox, Path]:
    """The folder where the model was put, not yet loaded, and the limits for what comes next."""
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
        raise ModelImportError(f"{source} is over the limit of {SIZE_LIMIT_BYTES} bytes", code=Code.TOO_LARGE)
    return size


def _manifest(here: Path, name: str, converted: Converted) -> Manifest:
    order = json.loads((here / "order.json").read_text())
    made = Manifest(
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
    return _checked(Manifest.from_json(stated.read_bytes()), made) if stated.exists() else made


def _checked(stated: Manifest, found: Manifest) -> Manifest:
    """What an artifact of ours states, once it is true.

    A manifest of before there were feature names gets the model's; one may name the features of a model without names.
    """
    for field in CHECKED:
        _check(field, getattr(stated, field), getattr(found, field))
    names = stated.feature_names or found.feature_names
    if found.feature_names:
        _check("feature_names", names, found.feature_names)
    elif names:
        _check("as many feature_names as", len(names), found.features)
    return replace(stated, feature_names=names, verified_rows=found.verified_rows)


def _check(field: str, stated: object, found: object) -> None:
    if stated != found:
        raise ModelImportError(
            f"its manifest states {field} {stated!r:.100}, and the model has {found!r:.100}. Import the model again, "
            "without the manifest",
            code=Code.WRONG_MANIFEST,
        )


def read_manifest(source: Path) -> Manifest:
    """That of a served artifact whose model is the one it describes; the model is not loaded."""
    with tempfile.TemporaryDirectory() as folder:
        _, here = _read(source, Path(folder), None)
        stated = here / "stated.json"
        if not stated.exists():
            raise ModelImportError(
                f"no {MANIFEST} inside: not a served artifact. Make one: dropscore model import", code=Code.NOT_A_MODEL
            )
        return Manifest.from_json(stated.read_bytes())
