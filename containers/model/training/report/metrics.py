"""Weighted metrics of a binary classifier. Curves go from the highest threshold down."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
SMALLEST = float(np.finfo(np.float32).eps)


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Weighted true and false positives per threshold: scores of at least that count as positive, at first none."""

    thresholds: Numbers
    true: Numbers
    false: Numbers

    @property
    def positives(self) -> float:
        return float(self.true[-1])

    @property
    def negatives(self) -> float:
        return float(self.false[-1])

    @property
    def has_both(self) -> bool:
        return self.positives > 0 and self.negatives > 0

    @property
    def recall(self) -> Numbers:
        return self.true / self.positives

    @property
    def fallout(self) -> Numbers:
        return self.false / self.negatives

    @property
    def precision(self) -> Numbers:
        """1 if nothing counts as positive."""
        found = self.true + self.false
        return np.divide(self.true, found, out=np.ones_like(found), where=found > 0)


def count(labels: Numbers, scores: Numbers, weights: Numbers) -> Counts:
    """Count positives at each distinct score."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    # Rows with equal scores cannot be separated by a threshold, so each distinct score counts once.
    last_of_equals = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    true = np.cumsum((labels * weights)[order])[last_of_equals]
    false = np.cumsum(((1 - labels) * weights)[order])[last_of_equals]
    return Counts(
        thresholds=np.concatenate([[np.inf], ordered[last_of_equals]]),
        true=np.concatenate([[0.0], true]),
        false=np.concatenate([[0.0], false]),
    )


def auc(counts: Counts) -> float:
    return float(np.trapezoid(counts.recall, counts.fallout))


def average_precision(counts: Counts) -> float:
    """Return the area under the precision-recall curve as a sum of steps; interpolation would overestimate it."""
    return float(np.sum(np.diff(counts.recall) * counts.precision[1:]))


def f1(counts: Counts) -> Numbers:
    """Return the F1 score at each threshold."""
    wrong = counts.false + counts.positives - counts.true
    scores: Numbers = 2 * counts.true / np.maximum(2 * counts.true + wrong, SMALLEST)
    return scores


def cost(counts: Counts, *, false_positive: float, false_negative: float) -> Numbers:
    """Return the total cost of errors at each threshold."""
    return counts.false * false_positive + (counts.positives - counts.true) * false_negative


def at_threshold(counts: Counts, threshold: float) -> int:
    """Return the index of the lowest threshold that is not below `threshold`."""
    return int(np.flatnonzero(counts.thresholds >= threshold)[-1])


def log_loss(labels: Numbers, probabilities: Numbers, weights: Numbers) -> float:
    """Clip probabilities of 0 and 1 to the float32 next to them, so that the loss is finite."""
    sure = np.clip(probabilities, SMALLEST, 1 - SMALLEST)
    losses = -(labels * np.log(sure) + (1 - labels) * np.log(1 - sure))
    return float(np.average(losses, weights=weights))


def brier(labels: Numbers, probabilities: Numbers, weights: Numbers) -> float:
    return float(np.average((probabilities - labels) ** 2, weights=weights))


@dataclass(frozen=True)
class Bin:
    """Rows of similar probability: their mean prediction, their share of positives, their weight."""

    predicted: float
    observed: float
    weight: float


def calibration(labels: Numbers, probabilities: Numbers, weights: Numbers, bins: int = 10) -> list[Bin]:
    """Return bins of equal width, without the empty ones."""
    place = np.minimum((probabilities * bins).astype(int), bins - 1)
    total = np.bincount(place, weights, bins)
    predicted = np.bincount(place, weights * probabilities, bins)
    observed = np.bincount(place, weights * labels, bins)
    return [
        Bin(float(predicted[at] / total[at]), float(observed[at] / total[at]), float(total[at]))
        for at in np.flatnonzero(total > 0)
    ]


def expected_calibration_error(bins: list[Bin]) -> float:
    """Return the mean difference between prediction and observation, weighted by rows."""
    total = sum(part.weight for part in bins)
    return sum(part.weight * abs(part.predicted - part.observed) for part in bins) / total
