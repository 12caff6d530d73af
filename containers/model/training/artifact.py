"""Write the model as our server expects it: model.ubj and its manifest."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import xgboost

from model.training.folders import write_atomically
from model.training.hyperparameters.hyperparameters import Hyperparameters

MODEL, MANIFEST = "model.ubj", "manifest.json"


def write_artifact(folder: Path, booster: xgboost.Booster, settings: Hyperparameters, job: str) -> str:
    """Return the model's sha256. The manifest is written last, so a model without one is incomplete."""
    model = bytes(booster.save_raw("ubj"))
    sha256 = hashlib.sha256(model).hexdigest()
    write_atomically(folder / MODEL, model)
    write_atomically(
        folder / MANIFEST, json.dumps(_manifest(booster, settings, sha256, job), indent=2).encode() + b"\n"
    )
    return sha256


def _manifest(booster: xgboost.Booster, settings: Hyperparameters, sha256: str, job: str) -> dict[str, object]:
    rounds = booster.num_boosted_rounds()
    names = {"feature_names": booster.feature_names} if booster.feature_names else {}
    return {
        "format": 1,
        "model": MODEL,
        "sha256": sha256,
        "features": booster.num_features(),
        "objective": settings.objective,
        "outputs": _outputs(booster),
        "trees": len(booster.get_dump()),
        "iterations": rounds,
        "missing": settings.missing,
        "source": {"name": job, "sha256": sha256, "format": f"trained by xgboost {xgboost.__version__}"},
        "converted_with": None,
        "verified_rows": 0,
        **names,
    }


def _outputs(booster: xgboost.Booster) -> int:
    one_row = xgboost.DMatrix(np.zeros((1, booster.num_features()), dtype=np.float32), nthread=1)
    scores = booster.predict(one_row, validate_features=False)
    return 1 if scores.ndim == 1 else int(scores.shape[1])
