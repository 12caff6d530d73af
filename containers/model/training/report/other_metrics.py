"""Weighted metrics of regressions and of classifiers with more than two classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from model.training.report.metrics import SMALLEST, Numbers


def regression(labels: Numbers, scores: Numbers, weights: Numbers) -> dict[str, float]:
    """Return rmse, mae, bias and r2; without r2 if all labels are equal, because it is undefined then."""
    errors = scores - labels
    spread = np.average((labels - np.average(labels, weights=weights)) ** 2, weights=weights)
    found = {
        "rmse": float(np.sqrt(np.average(errors**2, weights=weights))),
        "mae": float(np.average(np.abs(errors), weights=weights)),
        "bias": float(np.average(errors, weights=weights)),
    }
    return found | ({"r2": float(1 - found["rmse"] ** 2 / spread)} if spread > 0 else {})


def classes(labels: Numbers, shares: Numbers, weights: Numbers) -> dict[str, Any]:
    """`shares` has each row's class probabilities; the confusion matrix has one row per true class."""
    true, predicted, size = labels.astype(int), shares.argmax(axis=1), shares.shape[1]
    confusion = np.bincount(true * size + predicted, weights, size * size).reshape(size, size)
    right, rows, columns = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    seen = rows + columns > 0
    sure = np.clip(shares[np.arange(len(true)), true], SMALLEST, 1)
    return {
        "accuracy": float(right.sum() / confusion.sum()),
        "macro_f1": float(np.mean(2 * right[seen] / (rows + columns)[seen])),
        "log_loss": float(np.average(-np.log(sure), weights=weights)),
        "confusion": confusion.tolist(),
    }
