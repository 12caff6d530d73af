"""The sample's expected scores: `Booster.predict` on this machine gives the same bits as the deployment."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import xgboost

from model_tools.artifact import load

Scores = np.ndarray


def expected_scores(model: Path, sample: Path) -> Scores:
    """Return float32 scores in one flat array. `model` is the deployed model.tar.gz; `sample` has no header."""
    manifest, content = load(model.read_bytes())
    booster = xgboost.Booster(model_file=bytearray(content))
    with sample.open(newline="") as rows:
        features = np.array([[float(cell or math.nan) for cell in row] for row in csv.reader(rows)], dtype=np.float32)
    missing = math.nan if manifest.missing is None else manifest.missing
    matrix = xgboost.DMatrix(features, missing=missing)
    return np.ravel(booster.predict(matrix, iteration_range=(0, manifest.iterations)))


def written_scores(output: bytes) -> Scores:
    """The scores of an output, as one flat array."""
    return np.array(output.replace(b"\n", b",").strip(b",").split(b","), dtype=np.float32)
