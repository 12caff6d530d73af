"""Compare with values computed by hand, and with scikit-learn if it is installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from model.training.hyperparameters.hyperparameters import parse
from model.training.report import metrics, other_metrics
from model.training.report.evaluation import evaluate
from model.training.report.metrics import Numbers
from model.training.scoring import Scored

ONES = np.ones(4)
# One negative is above one positive: AUC 3/4; precision 1 at recall 1/2, then 2/3 at recall 1.
LABELS, SCORES = np.array([1.0, 0, 1, 0]), np.array([0.9, 0.6, 0.4, 0.1])


def sample(rows: int = 500, *, levels: int = 40) -> tuple[Numbers, Numbers, Numbers]:
    """With many equal scores and uneven weights."""
    rng = np.random.default_rng(0)
    labels = (rng.random(rows) < 0.3).astype(float)
    scores = np.round(np.clip(rng.normal(0.3 + 0.3 * labels, 0.2), 0, 1) * levels) / levels
    return labels, scores, rng.integers(1, 5, rows).astype(float)


def test_known_values() -> None:
    counts = metrics.count(LABELS, SCORES, ONES)
    assert metrics.auc(counts) == 0.75
    assert metrics.average_precision(counts) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert metrics.f1(counts)[metrics.at_threshold(counts, 0.5)] == 0.5
    assert metrics.f1(counts).max() == pytest.approx(0.8)
    assert metrics.brier(LABELS, SCORES, ONES) == pytest.approx((0.01 + 0.36 + 0.36 + 0.01) / 4)
    assert metrics.log_loss(LABELS, SCORES, ONES) == pytest.approx(-np.log([0.9, 0.4, 0.4, 0.9]).mean())


def test_equal_scores_are_one_threshold() -> None:
    counts = metrics.count(LABELS, np.full(4, 0.5), ONES)
    assert len(counts.thresholds) == 2
    assert metrics.auc(counts) == 0.5


def test_certain_and_wrong_costs_much_but_not_everything() -> None:
    assert 10 < metrics.log_loss(np.array([1.0]), np.array([0.0]), np.ones(1)) < 20


def test_calibration_compares_predictions_with_labels() -> None:
    labels, said = np.array([0, 0, 0, 1, 1, 1.0]), np.array([0.25, 0.25, 0.25, 0.25, 1.0, 1.0])
    bins = metrics.calibration(labels, said, np.ones(6))
    assert [(one.predicted, one.observed, one.weight) for one in bins] == [(0.25, 0.25, 4), (1, 1, 2)]
    assert metrics.expected_calibration_error(bins) == 0
    off = metrics.calibration(labels, np.full(6, 0.75), np.ones(6))
    assert metrics.expected_calibration_error(off) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("costs", "score", "total"),
    [((1, 1), 0.9, 1), ((1, 10), 0.4, 1), ((10, 1), 0.9, 1), ((0, 1), 0.4, 0), ((1, 0), None, 0)],
)
def test_the_threshold_follows_the_costs(costs: tuple[float, float], score: float | None, total: float) -> None:
    scored = Scored(labels=LABELS.astype(np.float32), scores=SCORES.astype(np.float32), weights=ONES.astype(np.float32))
    settings = parse({"cost_false_positive": str(costs[0]), "cost_false_negative": str(costs[1])})
    found = evaluate(scored, settings)["threshold"]
    assert found["score"] == (None if score is None else pytest.approx(score))
    assert found["cost"] == total
    assert found["true_positives"] + found["false_negatives"] == 2


def test_one_class_alone_has_no_curves_but_a_log_loss() -> None:
    part = np.ones(3, dtype=np.float32)
    found = evaluate(Scored(labels=part, scores=part * np.float32(0.5), weights=part), parse({}))
    assert found["metrics"]["log_loss"] == pytest.approx(np.log(2))
    assert "only one class" in found["note"]
    assert "roc" not in found["curves"]


def test_margins_are_judged_at_zero_and_calibrated_as_probabilities() -> None:
    labels, scores, weights = sample()
    inside = 0.0123 + 0.961 * scores  # away from 0, 1 and the edges of bins
    parts = {"labels": labels.astype(np.float32), "weights": weights.astype(np.float32)}
    as_share = evaluate(Scored(scores=inside.astype(np.float32), **parts), parse({}))["metrics"]
    margins = np.asarray(np.log(inside / (1 - inside)), dtype=np.float32)
    as_margin = evaluate(Scored(scores=margins, **parts), parse({"objective": "binary:logitraw"}))["metrics"]
    assert as_margin == pytest.approx(as_share, rel=1e-4)


def test_known_values_of_a_regression() -> None:
    found = other_metrics.regression(np.array([1.0, 2, 3]), np.array([1.0, 2, 6]), np.array([1.0, 1, 2]))
    assert found == pytest.approx({"rmse": np.sqrt(18 / 4), "mae": 1.5, "bias": 1.5, "r2": 1 - 4.5 / 0.6875})
    assert "r2" not in other_metrics.regression(np.ones(2), np.ones(2), np.ones(2))


def test_known_values_of_three_classes() -> None:
    shares = np.array([[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1]])
    found = other_metrics.classes(np.array([0.0, 1, 1]), shares, np.ones(3))
    assert found["confusion"] == [[1, 0, 0], [1, 1, 0], [0, 0, 0]]
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["macro_f1"] == pytest.approx(2 / 3)  # the class that nobody saw or said does not count
    assert found["log_loss"] == pytest.approx(-np.log([0.8, 0.3, 0.7]).mean())


def test_scikit_learn_agrees() -> None:
    theirs: Any = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    labels, scores, weights = sample()
    counts = metrics.count(labels, scores, weights)
    at_half = metrics.at_threshold(counts, 0.5)
    pairs = {
        metrics.auc(counts): theirs.roc_auc_score(labels, scores, sample_weight=weights),
        metrics.average_precision(counts): theirs.average_precision_score(labels, scores, sample_weight=weights),
        float(metrics.f1(counts)[at_half]): theirs.f1_score(labels, scores >= 0.5, sample_weight=weights),
        metrics.brier(labels, scores, weights): theirs.brier_score_loss(labels, scores, sample_weight=weights),
    }
    assert list(pairs) == pytest.approx(list(pairs.values()), rel=1e-12)
    inside = np.clip(scores, 0.01, 0.99)
    ours = metrics.log_loss(labels, inside, weights)
    assert ours == pytest.approx(theirs.log_loss(labels, inside, sample_weight=weights), rel=1e-12)
    fallout, recall, _ = theirs.roc_curve(labels, scores, sample_weight=weights, drop_intermediate=False)
    np.testing.assert_allclose(counts.fallout, fallout)
    np.testing.assert_allclose(counts.recall, recall)


def test_scikit_learn_agrees_on_classes_and_regression() -> None:
    theirs: Any = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    rng = np.random.default_rng(1)
    labels, weights = rng.integers(0, 4, 300).astype(float), rng.integers(1, 4, 300).astype(float)
    shares = rng.dirichlet(np.ones(4), 300)
    said = shares.argmax(axis=1)
    found = other_metrics.classes(labels, shares, weights)
    assert found["macro_f1"] == pytest.approx(theirs.f1_score(labels, said, average="macro", sample_weight=weights))
    assert found["log_loss"] == pytest.approx(theirs.log_loss(labels, shares, sample_weight=weights))
    np.testing.assert_allclose(found["confusion"], theirs.confusion_matrix(labels, said, sample_weight=weights))
    scores = labels + rng.normal(size=300)
    line = other_metrics.regression(labels, scores, weights)
    assert line["r2"] == pytest.approx(theirs.r2_score(labels, scores, sample_weight=weights))
    assert line["mae"] == pytest.approx(theirs.mean_absolute_error(labels, scores, sample_weight=weights))
