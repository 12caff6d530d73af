"""Load the model under /opt/ml/model: check it against its manifest, then test its predictions before serving it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xgboost

from model.serving.formats.csv_rows import parse
from model.serving.formats.schema import Schema
from model.serving.model import Model
from model.serving.output_type import OutputType

MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 64 * 1024 * 1024  # enough for the names of a million features
MAX_MODEL_BYTES = 2 * 1024 * 1024 * 1024
MAX_FEATURES = 1024 * 1024  # a row with more features does not fit into a request


class BadArtifactError(Exception):
    """The artifact cannot be served, so the server does not start."""


def load(directory: Path, pinned_sha256: str | None = None) -> Model:
    """Load and test the model in `directory`. `pinned_sha256` is that of the deployed model file, if it is known.

    Raises BadArtifactError.
    """
    manifest = _manifest(directory)
    path = _model_file(directory, manifest)
    # Read once, so that the bytes that are hashed are those that are loaded. `load_model` reads memory only from a
    # bytearray.
    content = bytearray(_read(path, MAX_MODEL_BYTES))
    sha256 = hashlib.sha256(content).hexdigest()
    if pinned_sha256 not in (None, sha256):
        raise BadArtifactError(
            f"{path.name} has sha256 {sha256}, but the deployment pinned {pinned_sha256}: this is not the "
            "model that was deployed; deploy it again, and check who can write to the bucket that holds it"
        )
    if manifest and sha256 != manifest["sha256"]:
        raise BadArtifactError(
            f"{path.name} has sha256 {sha256}, but {MANIFEST} says {manifest['sha256']}: import the model again"
        )
    return _tried(_build(_booster(path.name, content), sha256, manifest))


def _manifest(directory: Path) -> dict[str, Any]:
    """Return the checked fields of the manifest; empty if there is no manifest."""
    path = directory / MANIFEST
    if not path.exists():
        return {}
    content = _read(path, MAX_MANIFEST_BYTES)
    try:
        manifest: dict[str, Any] = json.loads(content)
        fields = {
            "sha256": str(manifest["sha256"]),
            # The name alone: a path must not lead out of the model folder.
            "model": Path(manifest["model"]).name,
            "format": manifest["format"],
        }
        fields |= {"features": int(manifest["features"]), "iterations": int(manifest["iterations"])}
        fields |= {"missing": float("nan") if manifest["missing"] is None else float(manifest["missing"])}
        fields |= {"feature_names": tuple(map(str, manifest.get("feature_names") or ()))}
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise BadArtifactError(f"{path} cannot be read: {_brief(error)}") from error
    if fields["format"] != 1:
        raise BadArtifactError(
            f"{path} has format {fields['format']}, but this server supports format 1: deploy a newer server"
        )
    return fields


def _model_file(directory: Path, manifest: dict[str, Any]) -> Path:
    if manifest:
        names = [manifest["model"]] if manifest["model"] and (directory / manifest["model"]).exists() else []
    else:
        names = sorted(path.name for path in directory.glob("*") if path.suffix in {".json", ".ubj"})
    if len(names) != 1:
        raise BadArtifactError(f"{directory} must contain one model, a .json or .ubj file; found: {names or 'none'}")
    return directory / str(names[0])


def _read(path: Path, most_bytes: int) -> bytes:
    """Read a regular file only: a pipe or a device would block the server for ever."""
    if not path.is_file():
        raise BadArtifactError(f"{path} is not a regular file")
    if path.stat().st_size > most_bytes:
        raise BadArtifactError(f"{path} is larger than {most_bytes} bytes")
    return path.read_bytes()


def _brief(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]


def _booster(name: str, content: bytearray) -> xgboost.Booster:
    booster = xgboost.Booster({"nthread": 1})  # requests run in parallel instead
    try:
        booster.load_model(content)
    except xgboost.core.XGBoostError as error:
        reason = str(error).strip().splitlines()[0]
        raise BadArtifactError(f"XGBoost {xgboost.__version__} cannot read {name}: {reason}") from error
    # Again, because loading restores the number of threads that the model was saved with.
    booster.set_param({"nthread": 1})
    return booster


def _build(booster: xgboost.Booster, sha256: str, manifest: dict[str, Any]) -> Model:
    booster_type = json.loads(booster.save_config())["learner"]["gradient_booster"]["name"]
    if booster.num_features() > MAX_FEATURES:
        raise BadArtifactError(f"the model has {booster.num_features()} features, but the limit is {MAX_FEATURES}")
    schema = _schema(booster, manifest.get("feature_names", ()))
    if manifest.get("features", schema.features) != schema.features:
        raise BadArtifactError(
            f"{MANIFEST} says {manifest['features']} features, but the model has {schema.features}: "
            "import the model again"
        )
    return Model(
        booster=booster,
        booster_type=booster_type,
        schema=schema,
        sha256=sha256,
        iterations=0 if booster_type == "gblinear" else manifest.get("iterations", _best_iterations(booster)),
        missing=manifest.get("missing", float("nan")),
    )


def _schema(booster: xgboost.Booster, described: tuple[str, ...]) -> Schema:
    """`described` are the names in the manifest. If they differ from the model's, columns would be matched wrongly."""
    names = tuple(booster.feature_names or described)
    if described not in ((), names) or len(names) not in (0, booster.num_features()):
        raise BadArtifactError(f"{MANIFEST} has different feature_names than the model: import the model again")
    types = booster.feature_types or []
    categorical = tuple(number for number, feature_type in enumerate(types) if feature_type == "c")
    return Schema(features=booster.num_features(), names=names, categorical=categorical)


def _best_iterations(booster: xgboost.Booster) -> int:
    """Use the best round that early stopping recorded, as XGBModel.predict does; 0 means all rounds."""
    best = booster.attr("best_iteration")
    return 0 if best is None else int(best) + 1


def _tried(model: Model) -> Model:
    """Test the model, so that a fault that would fail or falsify every request stops the start instead."""
    features = model.schema.features
    rows = parse(b"".join(b",".join([cell] * features) + b"\n" for cell in (b"0", b"1", b"nan")), model.schema)
    try:
        scores, expected = model.predict(rows), model.predict_from_copy(rows, OutputType.SCORES)
    except xgboost.core.XGBoostError as error:
        reason = str(error).strip().splitlines()[0]
        raise BadArtifactError(f"the model cannot predict with {model.iterations} rounds: {reason}") from error
    if len(scores) != len(rows) or scores.tobytes() != expected.tobytes():
        raise BadArtifactError("the model's in-place scores differ from those of Booster.predict, so it is not served")
    widths = {output: width for output in OutputType if (width := _width(model, output))}
    return replace(model, widths=widths, walks=_walks(model, widths))


def _width(model: Model, output_type: OutputType) -> int:
    """Return how many numbers one row of this output has; 0 if this type of booster does not support it."""
    try:
        return model.predict(np.zeros((1, model.schema.features), dtype=np.float32), output_type).size
    except xgboost.core.XGBoostError:
        return 0


def size_of(directory: Path) -> int:
    """Return the bytes of the artifact that `load` would read."""
    sizes = (path.stat().st_size for path in directory.glob("*") if path.is_file())
    return sum(min(size, MAX_MODEL_BYTES) for size in sizes)


def _walks(model: Model, widths: Mapping[OutputType, int]) -> dict[OutputType, int]:
    """Return the cost of one row per output, in trees walked.

    Contributions take time in proportion to each tree's leaves times its squared depth.
    """
    trees = widths.get(OutputType.LEAVES, 1)
    costs = {OutputType.SCORES: trees, OutputType.MARGIN: trees, OutputType.LEAVES: 2 * trees}
    if OutputType.CONTRIBUTIONS in widths:
        dumps = model.booster.get_dump()
        costs[OutputType.CONTRIBUTIONS] = max(1, sum(dump.count("leaf=") * _depth(dump) ** 2 for dump in dumps) // 6)
    return costs


def _depth(dump: str) -> int:
    """Return the depth of the deepest node. Its line begins with one tab per level."""
    return max(len(line) - len(line.lstrip("\t")) for line in dump.split("\n"))
