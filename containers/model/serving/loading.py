"""The model under /opt/ml/model: checked against its manifest, loaded once, and tried before anyone may ask it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xgboost

from serving.csv_rows import parse
from serving.model import Model
from serving.schema import Schema
from serving.wanted import Wanted

MANIFEST = "manifest.json"


class BadArtefactError(Exception):
    """The artefact cannot be served; the server does not start."""


def load(directory: Path, pinned_sha256: str | None = None) -> Model:
    """`pinned_sha256`, where there is one, is that of the model file which was meant to be deployed."""
    manifest = _manifest(directory)
    path = _model_file(directory, manifest)
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    if pinned_sha256 not in (None, sha256):
        raise BadArtefactError(
            f"{path.name} has sha256 {sha256}, the deployment pinned {pinned_sha256}: this is not the model that was "
            "deployed; deploy it again, and see who writes to the bucket that holds it"
        )
    if manifest and sha256 != manifest["sha256"]:
        raise BadArtefactError(
            f"{path.name} has sha256 {sha256}, {MANIFEST} says {manifest['sha256']}: import the model again"
        )
    return _tried(_build(_booster(path.name, content), sha256, manifest))


def _manifest(directory: Path) -> dict[str, Any]:
    """Empty when there is none."""
    path = directory / MANIFEST
    if not path.exists():
        return {}
    try:
        manifest: dict[str, Any] = json.loads(path.read_bytes())
        known = {"sha256": str(manifest["sha256"]), "model": Path(manifest["model"]).name, "format": manifest["format"]}
        known |= {"features": int(manifest["features"]), "iterations": int(manifest["iterations"])}
        known |= {"missing": float("nan") if manifest["missing"] is None else float(manifest["missing"])}
        known |= {"feature_names": tuple(map(str, manifest.get("feature_names") or ()))}
    except (ValueError, TypeError, KeyError) as error:
        raise BadArtefactError(f"{path} cannot be read: {error!r}") from error
    if known["format"] != 1:
        raise BadArtefactError(f"{path} is of format {known['format']}, this server knows 1: deploy a newer server")
    return known


def _model_file(directory: Path, manifest: dict[str, Any]) -> Path:
    if manifest:
        names = [manifest["model"]] if (directory / manifest["model"]).is_file() else []
    else:
        names = sorted(path.name for path in directory.glob("*") if path.suffix in {".json", ".ubj"})
    if len(names) != 1:
        raise BadArtefactError(f"{directory} must hold one model, a .json or .ubj file; found: {names or 'none'}")
    return directory / str(names[0])


def _booster(name: str, content: bytes) -> xgboost.Booster:
    booster = xgboost.Booster({"nthread": 1})  # requests are the parallelism
    try:
        booster.load_model(bytearray(content))
    except xgboost.core.XGBoostError as error:
        reason = str(error).strip().splitlines()[0]
        raise BadArtefactError(f"XGBoost {xgboost.__version__} cannot read {name}: {reason}") from error
    booster.set_param({"nthread": 1})
    return booster


def _build(booster: xgboost.Booster, sha256: str, manifest: dict[str, Any]) -> Model:
    kind = json.loads(booster.save_config())["learner"]["gradient_booster"]["name"]
    schema = _schema(booster, manifest.get("feature_names", ()))
    if manifest.get("features", schema.features) != schema.features:
        raise BadArtefactError(f"{MANIFEST} says {manifest['features']} features, the model has {schema.features}")
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
        raise BadArtefactError(f"{MANIFEST} has other feature_names than the model: import the model again")
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
        raise BadArtefactError(f"the model cannot predict with {model.iterations} rounds: {reason}") from error
    if len(scores) != len(rows) or scores.tobytes() != expected.tobytes():
        raise BadArtefactError("the model's scores in place are not those of Booster.predict: it cannot be trusted")
    return replace(model, widths={wanted: width for wanted in Wanted if (width := _width(model, wanted))})


def _width(model: Model, wanted: Wanted) -> int:
    """How many numbers one row's answer has; 0 for what this kind of booster cannot tell."""
    try:
        return model.predict(np.zeros((1, model.schema.features), dtype=np.float32), wanted).size
    except xgboost.core.XGBoostError:
        return 0
