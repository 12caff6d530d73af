"""The container's modules are imported as in the container: with `containers` on sys.path, as the package `model`."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost
from numpy.typing import NDArray

ROOT = Path(__file__).parents[5]
CONTAINER = ROOT / "containers" / "model"

FEATURES = 3
Rows = NDArray[np.float32]


@pytest.fixture(scope="session")
def rows() -> Rows:
    rng = np.random.default_rng(0)
    found = rng.normal(size=(300, FEATURES)).astype(np.float32)
    found[rng.random(found.shape) < 0.1] = np.nan
    return found


def train(rows: Rows, rounds: int = 8, **settings: Any) -> xgboost.Booster:
    third_class = (np.nan_to_num(rows[:, 0]) > 1) * (settings.get("num_class") == 3)
    labels = (np.nansum(rows, axis=1) > 0).astype(int) + third_class
    chosen = {"objective": "binary:logistic", "nthread": 1, **settings}
    if settings.get("booster") != "gblinear":
        chosen["max_depth"] = 3
    return xgboost.train(chosen, xgboost.DMatrix(rows, labels, nthread=1), rounds)


@pytest.fixture(scope="session")
def booster(rows: Rows) -> xgboost.Booster:
    return train(rows)


def write(folder: Path, booster: xgboost.Booster, **changes: object) -> Path:
    """An unpacked artifact with a manifest; `changes` override its fields."""
    folder.mkdir(exist_ok=True)
    model = bytes(booster.save_raw("ubj"))
    (folder / "model.ubj").write_bytes(model)
    manifest = {
        "format": 1,
        "model": "model.ubj",
        "sha256": hashlib.sha256(model).hexdigest(),
        "features": booster.num_features(),
        "iterations": booster.num_boosted_rounds(),
        "missing": None,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest | changes))
    return folder


def csv_of(rows: Rows) -> bytes:
    lines = (",".join("" if np.isnan(cell) else repr(float(cell)) for cell in row) for row in rows)
    return ("\n".join(lines) + "\n").encode()
