"""Check labels and weights. An error names the file and the row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.training.errors import TrainingError
from model.training.hyperparameters.hyperparameters import Hyperparameters

Vector = NDArray[np.float32]


def check_labels(labels: Vector, settings: Hyperparameters, first: int, place: str) -> None:
    _refuse(np.isnan(labels), f"the label is missing: it must be the first column of {place}", first)
    is_bad, expected = _bad(labels, settings)
    _refuse(is_bad, f"{settings.objective} needs a label {expected} in the first column of {place}", first)


def _bad(labels: Vector, settings: Hyperparameters) -> tuple[NDArray[np.bool_], str]:
    objective = settings.objective
    if objective.startswith("multi:"):
        is_class = (labels == np.floor(labels)) & (labels >= 0) & (labels < settings.classes)
        return ~is_class, f"that is a whole number from 0 to {settings.classes - 1}"
    if objective.startswith("binary:"):
        return (labels != 0) & (labels != 1), "that is 0 or 1"
    ranges = {
        "reg:logistic": ((labels < 0) | (labels > 1), "from 0 to 1"),
        "count:poisson": (labels < 0, "of 0 or more"),
        "reg:tweedie": (labels < 0, "of 0 or more"),
        "reg:gamma": (labels <= 0, "over 0"),
    }
    return ranges.get(objective, (np.zeros(len(labels), dtype=bool), ""))


def check_weights(weights: Vector | None, first: int, place: str) -> None:
    if weights is not None:
        # Negated, so that NaN is refused too.
        _refuse(~(weights >= 0), f"the weight must be 0 or more: it is the second column of {place}", first)


def _refuse(is_bad: NDArray[np.bool_], message: str, first: int) -> None:
    if is_bad.any():
        raise TrainingError(f"{message}; row {first + int(np.argmax(is_bad))} does not have one")
