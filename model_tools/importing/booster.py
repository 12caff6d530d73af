"""Describe an XGBoost booster."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xgboost

from model_tools.importing.shape import Shape


def describe(booster: xgboost.Booster) -> Shape:
    """Return the booster's features, objective, outputs, trees and rounds."""
    learner = json.loads(booster.save_config())["learner"]
    forest = _forest(learner["gradient_booster"])
    features = booster.num_features()
    one_row = xgboost.DMatrix(np.zeros((1, features), dtype=np.float32), nthread=1)
    scores = booster.predict(one_row, validate_features=False)
    return Shape(
        features=features,
        objective=learner["objective"]["name"],
        outputs=1 if scores.ndim == 1 else scores.shape[1],
        trees=int(forest["num_trees"]),
        rounds=booster.num_boosted_rounds() if forest["num_trees"] != "0" else 0,
        parallel_trees=int(forest["num_parallel_tree"]),
        names=tuple(booster.feature_names) if booster.feature_names else None,
    )


def _forest(booster: dict[str, Any]) -> dict[str, str]:
    if booster["name"] == "gblinear":
        return {"num_trees": "0", "num_parallel_tree": "1"}
    forest: dict[str, str] = booster.get("gbtree", booster)["gbtree_model_param"]  # dart has its trees one level deeper
    return forest
