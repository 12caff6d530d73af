"""Small models to score with: few and many features, names known and unknown, one score a row and several."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

Rows = NDArray[np.float32]


@dataclass(frozen=True)
class Known:
    """A model as its owner knows it. `names` is None where the artifact does not tell what its features are called."""

    label: str
    features: int
    names: tuple[str, ...] | None
    outputs: int = 1

    def booster(self) -> xgb.Booster:
        rng = np.random.default_rng(self.features)
        rows = rng.normal(size=(400, self.features)).astype(np.float32)
        rows[rng.random(rows.shape) < 0.1] = np.nan
        weights = np.linspace(1, 2, self.features)
        signal = np.nansum(rows * weights, axis=1)
        labels = np.digitize(signal, [-1, 1]) if self.outputs > 1 else signal
        kind = {"objective": "multi:softprob", "num_class": self.outputs} if self.outputs > 1 else {}
        named = xgb.DMatrix(rows, labels, feature_names=list(self.names) if self.names else None, nthread=1)
        return xgb.train({"nthread": 1, "max_depth": 4, **kind}, named, 8)

    def scores(self, rows: Rows) -> Rows:
        """By XGBoost itself, a line a row; the columns in the model's order."""
        matrix = xgb.DMatrix(rows, feature_names=list(self.names) if self.names else None, nthread=1)
        found: Rows = booster_of(self).predict(matrix).reshape(len(rows), self.outputs)
        return found


MODELS = (
    Known("one", 1, None),
    Known("two", 2, ("age", "amount")),
    Known("three", 3, None),
    Known("four", 4, ("tenure months", "nps", "data_gb", "Größe")),
    Known("classes", 5, ("a", "b", "c", "d", "e"), outputs=3),
)
_BOOSTERS: dict[str, xgb.Booster] = {}


def booster_of(known: Known) -> xgb.Booster:
    if known.label not in _BOOSTERS:
        _BOOSTERS[known.label] = known.booster()
    return _BOOSTERS[known.label]


def write_raw(known: Known, folder: Path) -> Path:
    """The model as XGBoost saves it, for `dropscore model import`."""
    path = folder / f"{known.label}.ubj"
    booster_of(known).save_model(path)
    return path
