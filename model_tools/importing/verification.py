"""`model_tools.importing.verification FOLDER …`: does our XGBoost predict for FOLDER/rows.npy what FOLDER/expected.npy says?

Both ways in which the server predicts must: from a matrix, and in place where it does so. FOLDER/verified.json gets the
answer and what the model says of itself. Runs in a process of its own: a model can crash XGBoost.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import xgboost

from model_tools.importing.booster import describe


def main(*folders: str) -> None:
    for folder in folders:
        verify(Path(folder))


def verify(folder: Path) -> None:
    facts = json.loads((folder / "facts.json").read_text())
    missing = json.loads((folder / "order.json").read_text())["missing"]
    missing = float("nan") if missing is None else missing
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray((folder / "model.ubj").read_bytes()))
    booster.set_param({"nthread": 1})  # the model's own number of threads came with it
    rows, expected = np.load(folder / "rows.npy"), np.load(folder / "expected.npy")
    rounds = (0, facts["iterations"])
    matrix = xgboost.DMatrix(rows, missing=missing, nthread=1)
    scores = booster.predict(matrix, iteration_range=rounds, validate_features=False)
    wrong = differing(scores, expected)
    if facts["booster"] == "gbtree":
        in_place = booster.inplace_predict(rows, iteration_range=rounds, missing=missing, validate_features=False)
        wrong = max(wrong, differing(in_place, expected))
    answer = {"rows": len(rows), "wrong": wrong, "shape": asdict(describe(booster))}
    (folder / "verified.json").write_text(json.dumps(answer))


def differing(scores: np.ndarray, expected: np.ndarray) -> int:
    """How many rows differ in any bit that means something."""
    if scores.shape != expected.shape:
        return len(expected)
    is_same = (scores == expected) | (np.isnan(scores) & np.isnan(expected))
    return int(np.sum(~is_same.reshape(len(expected), -1).all(axis=1)))
