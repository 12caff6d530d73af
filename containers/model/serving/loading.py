"""The model under /opt/ml/model: checked against its manifest, loaded once, and tried before anyone may ask it."""

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
from model.serving.output_kind import Wanted

MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 64 * 1024 * 1024  # with the names of a million features
MAX_MODEL_BYTES = 2 * 1024 * 1024 * 1024
MAX_FEATURES = 1024 * 1024  # a row of more does not fit into any body


class BadArtifactError(Exception):
    """The artifact cannot be served; the server does not start."""


def load(directory: Path, pinned_sha256: str | None = None) -> Model:
    """`pinned_sha256`, where there is one, is that of the model file which was meant to be deployed."""
    manifest = _manifest(directory)
    path = _model_file(directory, manifest)
    content = bytearray(_read(path, MAX_MODEL_BYTES))
    sha256 = hashlib.sha256(content).hexdigest()
    if pinned_sha256 not in (None, sha256):
        raise BadArtifactError(
            f"{path.name} has sha256 {sha256}, the deployment pinned {pinned_sha256}: this is not the model that was "
            "deployed; deploy it again, and see who writes to the bucket that holds it"
        )
    if manifest and sha256 != manifest["sha256"]:
        raise BadArtifactError(
            f"{path.name} has sha256 {sha256}, {MANIFEST} says {manifest['sha256']}: import the model again"
        )
    return _tried(_build(_booster(path.name, content), sha256, manifest))


def _manifest(directory: Path) -> dict[str, Any]:
    """Empty when there is none."""
    path = directory / MANIFEST
    if not path.exists():
        return {}
    content = _read(path, MAX_MANIFEST_BYTES)
    try:
        manifest: dict[str, Any] = json.loads(content)
        known = {"sha256": str(manifest["sha256"]), "model": Path(manifest["model"]).name, "format": manifest["format"]}
        known |= {"features": int(manifest["features"]), "iterations": int(manifest["iterations"])}
        known |= {"missing": float("nan") if manifest["missing"] is None else float(manifest["missing"])}
        known |= {"feature_names": tuple(map(str, manifest.get("feature_names") or ()))}
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise BadArtifactError(f"{path} cannot be read: {_brief(error)}") from error
    if known["format"] != 1:
        raise BadArtifactError(f"{path} is of format {known['format']}, this server knows 1: deploy a newer server")
    return known


def _model_file(directory: Path, manifest: dict[str, Any]) -> Path:
    if manifest:
        names = [manifest["model"]] if manifest["model"] and (directory / manifest["model"]).exists() else []
    else:
        names = sorted(path.name for path in directory.glob("*") if path.suffix in {".json", ".ubj"})
    if len(names) != 1:
        raise BadArtifactError(f"{directory} must hold one model, a .json or .ubj file; found: {names or 'none'}")
    return directory / str(names[0])


def _read(path: Path, most_bytes: int) -> bytes:
    """A file like any other: a pipe or a device would keep the server waiting for ever."""
    if not path.is_file():
        raise BadArtifactError(f"{path} is not a regular file")
    if path.stat().st_size > most_bytes:
        raise BadArtifactError(f"{path} is larger than {most_bytes} bytes")
    return path.read_bytes()


def _brief(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]


def _booster(name: str, content: bytearray) -> xgboost.Booster:
    booster = xgboost.Booster({"nthread": 1})  # requests are the parallelism
    try:
        booster.load_model(content)
    except xgboost.core.XGBoostError as error:
        reason = str(error).strip().splitlines()[0]
        raise BadArtifactError(f"XGBoost {xgboost.__version__} cannot read {name}: {reason}") from error
    booster.set_param({"nthread": 1})
    return booster


def _build(booster: xgboost.Booster, sha256: str, manifest: dict[str, Any]) -> Model:
    kind = json.loads(booster.save_config())["learner"]["gradient_booster"]["name"]
    if booster.num_features() > MAX_FEATURES:
        raise BadArtifactError(f"the model has {booster.num_features()} features, this server takes {MAX_FEATURES}")
    schema = _schema(booster, manifest.get("feature_names", ()))
    if manifest.get("features", schema.features) != schema.features:
        raise BadArtifactError(f"{MANIFEST} says {manifest['features']} features, the model has {schema.features}")
    return Model(
        booster=booster,
        kind=kind,
        schema=schema,
        sha256=sha256,
        iterations=0 if kind == "gblinear" else manifest.get("iterations", _best_iterations(booster)),
        missing=manifest.get("missing", float("nan")),
    )


def _schema(booster: xgboost.Booster, described: tuple[str, ...]) -> Schema:
    """`described` are the names in the manifest. By other names than the model's, columns would be matched wrongly."""
    names = tuple(booster.feature_names or described)
    if described not in ((), names) or len(names) not in (0, booster.num_features()):
        raise BadArtifactError(f"{MANIFEST} has other feature_names than the model: import the model again")
    types = booster.feature_types or []
    categorical = tuple(number for number, kind in enumerate(types) if kind == "c")
    return Schema(features=booster.num_features(), names=names, categorical=categorical)


def _best_iterations(booster: xgboost.Booster) -> int:
    """As XGBModel.predict does: early stopping left the best round behind."""
    best = booster.attr("best_iteration")
    return 0 if best is None else int(best) + 1


def _tried(model: Model) -> Model:
    """The self-test: a fault that would fail every request, or score it wrongly, must stop the start instead."""
    features = model.schema.features
    rows = parse(b"".join(b",".join([cell] * features) + b"\n" for cell in (b"0", b"1", b"nan")), model.schema)
    try:
        scores, expected = model.predict(rows), model.predict_from_copy(rows, Wanted.SCORES)
    except xgboost.core.XGBoostError as error:
        reason = str(error).strip().splitlines()[0]
        raise BadArtifactError(f"the model cannot predict with {model.iterations} rounds: {reason}") from error
    if len(scores) != len(rows) or scores.tobytes() != expected.tobytes():
        raise BadArtifactError("the model's scores in place are not those of Booster.predict: it cannot be trusted")
    widths = {wanted: width for wanted in Wanted if (width := _width(model, wanted))}
    return replace(model, widths=widths, walks=_walks(model, widths))


def _width(model: Model, wanted: Wanted) -> int:
    """How many numbers one row's answer has; 0 for what this kind of booster cannot tell."""
    try:
        return model.predict(np.zeros((1, model.schema.features), dtype=np.float32), wanted).size
    except xgboost.core.XGBoostError:
        return 0


def size_of(directory: Path) -> int:
    """Bytes of the artifact, as far as `load` would read them."""
    sizes = (path.stat().st_size for path in directory.glob("*") if path.is_file())
    return sum(min(size, MAX_MODEL_BYTES) for size in sizes)


def _walks(model: Model, widths: Mapping[Wanted, int]) -> dict[Wanted, int]:
    """What one row costs. Contributions take time with the leaves times the squared depth of each tree."""
    trees = widths.get(Wanted.LEAVES, 1)
    costs = {Wanted.SCORES: trees, Wanted.MARGIN: trees, Wanted.LEAVES: 2 * trees}
    if Wanted.CONTRIBUTIONS in widths:
        dumps = model.booster.get_dump()
        costs[Wanted.CONTRIBUTIONS] = max(1, sum(dump.count("leaf=") * _depth(dump) ** 2 for dump in dumps) // 6)
    return costs


def _depth(dump: str) -> int:
    """A node's line begins with one tab a level."""
    return max(len(line) - len(line.lstrip("\t")) for line in dump.split("\n"))
