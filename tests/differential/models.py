"""Small models: few and many features, with and without names, one or several scores per row."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

Rows = NDArray[np.float32]


@dataclass(frozen=True)
class DemoModel:
    """A model with all that its owner knows. `names` is None if the artifact does not name the features."""

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
        multiclass = {"objective": "multi:softprob", "num_class": self.outputs} if self.outputs > 1 else {}
        named = xgb.DMatrix(rows, labels, feature_names=list(self.names) if self.names else None, nthread=1)
        return xgb.train({"nthread": 1, "max_depth": 4, **multiclass}, named, 8)

    def scores(self, rows: Rows) -> Rows:
        """Scores by XGBoost itself, one line per row; columns in the model's order."""
        matrix = xgb.DMatrix(rows, feature_names=list(self.names) if self.names else None, nthread=1)
        found: Rows = booster_of(self).predict(matrix).reshape(len(rows), self.outputs)
        return found


MODELS = (
    DemoModel("one", 1, None),
    DemoModel("two", 2, ("age", "amount")),
    DemoModel("three", 3, None),
    DemoModel("four", 4, ("tenure months", "nps", "data_gb", "Größe")),
    DemoModel("classes", 5, ("a", "b", "c", "d", "e"), outputs=3),
)
_BOOSTERS: dict[str, xgb.Booster] = {}


def booster_of(model: DemoModel) -> xgb.Booster:
    if model.label not in _BOOSTERS:
        _BOOSTERS[model.label] = model.booster()
    return _BOOSTERS[model.label]


def write_raw(model: DemoModel, folder: Path) -> Path:
    """The model as XGBoost saves it, as input of `dropscore model import`."""
    path = folder / f"{model.label}.ubj"
    booster_of(model).save_model(path)
    return path
