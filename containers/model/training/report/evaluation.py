"""Compute the report's metrics and curves from scores."""

from __future__ import annotations

from typing import Any

import numpy as np

from model.training.hyperparameters.hyperparameters import Hyperparameters
from model.training.report import metrics, other_metrics
from model.training.report.metrics import Counts, Numbers
from model.training.scoring import Scored

CURVE_POINTS = 200


def evaluate(scored: Scored, settings: Hyperparameters) -> dict[str, Any]:
    """Return `metrics` and, for two classes, `curves` and `threshold`."""
    labels, scores, weights = (part.astype(np.float64) for part in (scored.labels, scored.scores, scored.weights))
    if settings.objective.startswith("multi:"):
        return {"metrics": other_metrics.classes(labels, scores, weights)}
    if not settings.objective.startswith("binary:"):
        return {"metrics": other_metrics.regression(labels, scores, weights)}
    return _two_classes(labels, scores, weights, settings)


def _two_classes(labels: Numbers, scores: Numbers, weights: Numbers, settings: Hyperparameters) -> dict[str, Any]:
    is_raw = settings.objective == "binary:logitraw"
    probabilities = 1 / (1 + np.exp(-scores)) if is_raw else scores
    counts = metrics.count(labels, scores, weights)
    bins = metrics.calibration(labels, probabilities, weights)
    sure = {
        "log_loss": metrics.log_loss(labels, probabilities, weights),
        "brier": metrics.brier(labels, probabilities, weights),
        "calibration_error": metrics.expected_calibration_error(bins),
    }
    curves: dict[str, Any] = {"calibration": [[part.predicted, part.observed, part.weight] for part in bins]}
    if not counts.has_both:
        return {
            "metrics": sure,
            "curves": curves,
            "note": "the rows have only one class, so there is no ROC, PR or threshold",
        }
    middle = 0.0 if is_raw else 0.5
    return {
        "metrics": {
            "auc": metrics.auc(counts),
            "pr_auc": metrics.average_precision(counts),
            "f1": float(metrics.f1(counts)[metrics.at_threshold(counts, middle)]),
            "best_f1": float(metrics.f1(counts).max()),
            **sure,
        },
        "threshold": _cheapest(counts, settings),
        "curves": curves | {"roc": _thinned(counts.fallout, counts.recall), "pr": _pr(counts)},
    }


def _cheapest(counts: Counts, settings: Hyperparameters) -> dict[str, float | None]:
    """Return the threshold with the lowest cost of errors. Scores from it on count as positive; None: no score does."""
    costs = metrics.cost(
        counts, false_positive=settings.cost_false_positive, false_negative=settings.cost_false_negative
    )
    at = int(np.argmin(costs))
    return {
        "score": float(counts.thresholds[at]) if np.isfinite(counts.thresholds[at]) else None,
        "cost": float(costs[at]),
        "cost_false_positive": settings.cost_false_positive,
        "cost_false_negative": settings.cost_false_negative,
        "true_positives": float(counts.true[at]),
        "false_positives": float(counts.false[at]),
        "false_negatives": counts.positives - float(counts.true[at]),
        "true_negatives": counts.negatives - float(counts.false[at]),
        "precision": float(counts.precision[at]),
        "recall": float(counts.recall[at]),
        "f1": float(metrics.f1(counts)[at]),
    }


def _pr(counts: Counts) -> list[list[float]]:
    return _thinned(counts.recall[1:], counts.precision[1:])


def _thinned(across: Numbers, up: Numbers) -> list[list[float]]:
    """Return CURVE_POINTS points at equal distances along the curve, so that steep parts keep their shape."""
    length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(across), np.diff(up)))])
    chosen = np.searchsorted(length, np.linspace(0, length[-1], CURVE_POINTS))
    kept = np.unique(np.concatenate([[0], np.minimum(chosen, len(across) - 1), [len(across) - 1]]))
    return [[round(float(across[at]), 6), round(float(up[at]), 6)] for at in kept]
