"""Workloads: a shallow and a deep model, a request of 5 MB, and the expected scores."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xgboost
from numpy.typing import NDArray

from training import data, demo

ROWS = 10_000
FULL_DEPTH = 8
FULL_ROUNDS = 500


@dataclass(frozen=True)
class Workload:
    """`folder` has only `model.ubj`; `rows` are the numbers of `body` as float64."""

    name: str
    folder: Path
    body: bytes
    rows: NDArray[np.float64]
    scores: NDArray[np.float32]


def workloads(into: Path) -> Iterator[Workload]:
    for name, booster in (("100 trees, depth 4", demo.train()), (f"{FULL_ROUNDS} trees, depth 8, full", full())):
        folder = into / name.replace(" ", "-").replace(",", "")
        folder.mkdir()
        booster.save_model(folder / "model.ubj")
        yield workload(name, folder)


def workload(name: str, folder: Path, rows: int = ROWS) -> Workload:
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "rows.csv")
        data.write(file, rows, seed=1)
        body = file.read_bytes()
    doubles = np.array([[float(cell) for cell in line.split(b",")] for line in body.splitlines()])
    booster = xgboost.Booster(model_file=folder / "model.ubj")
    return Workload(name, folder, body, doubles, booster.predict(xgboost.DMatrix(doubles)))


def full(rounds: int = FULL_ROUNDS) -> xgboost.Booster:
    """Train on random labels, so that every tree grows to its full depth with nearly every leaf."""
    rng = np.random.default_rng(0)
    features = np.concatenate([block for block, _ in data.blocks(60_000)])
    labels = rng.integers(0, 2, len(features))
    parameters = {"objective": "binary:logistic", "max_depth": FULL_DEPTH, "eta": 0.05, "seed": 0}
    return xgboost.train(
        parameters | {"min_child_weight": 0, "gamma": 0}, xgboost.DMatrix(features, labels), num_boost_round=rounds
    )
