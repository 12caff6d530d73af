"""The model under /opt/ml/model: checked against its manifest, loaded once, asked many times at once."""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import xgboost
from numpy.typing import NDArray

MANIFEST = "manifest.json"
Scores = NDArray[np.float32]


class BadArtefactError(Exception):
    """The artefact cannot be served; the server does not start."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """`iterations` is how many rounds predict, 0 for all; `missing` is what stands for a missing value.

    A plain booster is one of gbtree: the only kind that predicts in place to the same bit as from a DMatrix.
    """

    booster: xgboost.Booster
    features: int
    sha256: str
    iterations: int
    missing: float
    is_plain: bool
    lock: AbstractContextManager[object] = field(default_factory=threading.Lock)

    def score(self, matrix: NDArray[np.float32]) -> Scores:
        """One float32 a row, or one row of them a row."""
        rounds = (0, self.iterations)
        if self.is_plain:
            scores: Scores = self.booster.inplace_predict(
                matrix, iteration_range=rounds, missing=self.missing, validate_features=False
            )
            return scores
        with self.lock:
            rows = xgboost.DMatrix(matrix, missing=self.missing, nthread=1)
            return self.booster.predict(rows, iteration_range=rounds, validate_features=False)


def text_of(scores: Scores) -> bytes:
    """One line a row; each number is the shortest text that gives the same float32 again."""
    cells: list[str] = pa.array(scores.ravel()).cast(pa.string()).to_pylist()
    width = 1 if scores.ndim == 1 else scores.shape[1]
    lines = cells if width == 1 else [",".join(cells[at : at + width]) for at in range(0, len(cells), width)]
    return ("\n".join(lines) + "\n").encode()


def load(directory: Path) -> Model:
    manifest = _manifest(directory)
    path = _model_file(directory, manifest)
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    if manifest and sha256 != manifest["sha256"]:
        raise BadArtefactError(
            f"{path.name} has sha256 {sha256}, {MANIFEST} says {manifest['sha256']}: import the model again"
        )
    model = _build(_booster(path.name, content), sha256, manifest)
    _check(model, manifest)
    return model


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
    return Model(
        booster=booster,
        features=booster.num_features(),
        sha256=sha256,
        iterations=0 if kind == "gblinear" else manifest.get("iterations", _best_iterations(booster)),
        missing=manifest.get("missing", float("nan")),
        is_plain=kind == "gbtree",
    )


def _best_iterations(booster: xgboost.Booster) -> int:
    """As XGBModel.predict does: early stopping left the best round behind."""
    best = booster.attr("best_iteration")
    return 0 if best is None else int(best) + 1


def _check(model: Model, manifest: dict[str, Any]) -> None:
    """A fault that would fail every request must stop the start instead."""
    if manifest.get("features", model.features) != model.features:
        raise BadArtefactError(f"{MANIFEST} says {manifest['features']} features, the model has {model.features}")
    try:
        model.score(np.zeros((1, model.features), dtype=np.float32))
    except xgboost.core.XGBoostError as error:
        reason = str(error).strip().splitlines()[0]
        raise BadArtefactError(f"the model cannot predict with {model.iterations} rounds: {reason}") from error
