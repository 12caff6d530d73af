"""`main(FOLDER, …)`: verify that our XGBoost predicts FOLDER/expected.npy for FOLDER/rows.npy.

Checks both ways in which the server predicts: from a matrix and, for gbtree, in place. Writes the result and the
model's description to FOLDER/verified.json. Runs in a separate process, because a model can crash XGBoost.
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
    booster.set_param({"nthread": 1})  # loading the model restores its own number of threads
    rows, expected = np.load(folder / "rows.npy"), np.load(folder / "expected.npy")
    rounds = (0, facts["iterations"])
    matrix = xgboost.DMatrix(rows, missing=missing, nthread=1)
    scores = booster.predict(matrix, iteration_range=rounds, validate_features=False)
    wrong = differing(scores, expected)
    # Only these models are scored in place by the server (decision 0037).
    if facts["booster"] == "gbtree":
        in_place = booster.inplace_predict(rows, iteration_range=rounds, missing=missing, validate_features=False)
        wrong = max(wrong, differing(in_place, expected))
    result = {"rows": len(rows), "wrong": wrong, "shape": asdict(describe(booster))}
    (folder / "verified.json").write_text(json.dumps(result))


def differing(scores: np.ndarray, expected: np.ndarray) -> int:
    """Return how many rows differ. All NaNs are equal."""
    if scores.shape != expected.shape:
        return len(expected)
    is_same = (scores == expected) | (np.isnan(scores) & np.isnan(expected))
    return int(np.sum(~is_same.reshape(len(expected), -1).all(axis=1)))
