"""`python -m training.verification FOLDER …`: does our XGBoost predict for FOLDER/rows.npy what expected.npy says?

FOLDER/verified.json gets the answer and what the model says of itself. A process of its own: a model can crash XGBoost.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import xgboost

from training.booster import describe


def main(folder: Path) -> None:
    facts = json.loads((folder / "facts.json").read_text())
    missing = json.loads((folder / "order.json").read_text())["missing"]
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray((folder / "model.ubj").read_bytes()))
    rows, expected = np.load(folder / "rows.npy"), np.load(folder / "expected.npy")
    matrix = xgboost.DMatrix(rows, missing=float("nan") if missing is None else missing, nthread=1)
    scores = booster.predict(matrix, iteration_range=(0, facts["iterations"]), validate_features=False)
    answer = {"rows": len(rows), "wrong": differing(scores, expected), "shape": asdict(describe(booster))}
    (folder / "verified.json").write_text(json.dumps(answer))


def differing(scores: np.ndarray, expected: np.ndarray) -> int:
    """How many rows differ in any bit that means something."""
    if scores.shape != expected.shape:
        return len(expected)
    is_same = (scores == expected) | (np.isnan(scores) & np.isnan(expected))
    return int(np.sum(~is_same.reshape(len(expected), -1).all(axis=1)))


if __name__ == "__main__":
    for one in sys.argv[1:]:
        main(Path(one))
