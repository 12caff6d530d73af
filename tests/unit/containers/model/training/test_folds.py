from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import xgboost

from model.training import folds
from model.training.folds import assign_folds
from tests.unit.containers.model.training.conftest import Home, csv_of, table


def test_folds_are_even_and_spread_each_class() -> None:
    labels = (np.arange(1003) % 10 == 0).astype(np.float32)
    folds = assign_folds(labels, 4, seed=0, by_class=True)
    assert np.ptp(np.bincount(folds)) <= 1
    assert np.ptp(np.bincount(folds[labels == 1], minlength=4)) <= 1


def test_folds_depend_on_the_seed_alone() -> None:
    labels = np.zeros(100, dtype=np.float32)
    assert (
        assign_folds(labels, 5, seed=1, by_class=False).tolist()
        == assign_folds(labels, 5, seed=1, by_class=False).tolist()
    )
    assert (
        assign_folds(labels, 5, seed=1, by_class=False).tolist()
        != assign_folds(labels, 5, seed=2, by_class=False).tolist()
    )


@pytest.fixture
def crossed(home: Home) -> Home:
    home.put("train", csv_of(table(600)))
    home.order(kfold="3", eval_metric="auc", checkpoint_every="0")
    return home


def test_mean_and_deviation_are_those_of_the_folds(crossed: Home, capfd: pytest.CaptureFixture[str]) -> None:
    assert crossed.train() == 0
    values = [float(text) for text in re.findall(r"validation-auc=(\S+) after", capfd.readouterr().out)]
    found = crossed.report["kfold"]["auc"]
    assert len(values) == 3
    assert found["mean"] == pytest.approx(np.mean(values), rel=1e-5)
    assert found["std"] == pytest.approx(np.std(values, ddof=1), rel=1e-4)


def test_a_fold_is_measured_on_rows_it_has_not_seen(crossed: Home) -> None:
    """Repeat it by hand: train on two thirds, measure on the other."""
    assert crossed.train() == 0
    rows = table(600).astype(np.float32)
    dealt = assign_folds(rows[:, 0], 3, 0, by_class=True)
    scores = np.empty(600, dtype=np.float32)
    for fold in range(3):
        held_out = dealt == fold
        settings = {"objective": "binary:logistic", "max_depth": 3, "nthread": 1, "tree_method": "hist"}
        train = xgboost.QuantileDMatrix(rows[~held_out, 1:], rows[~held_out, 0], nthread=1)
        scores[held_out] = xgboost.train(settings, train, 8).predict(xgboost.DMatrix(rows[held_out, 1:]))
    brier = float(np.mean((scores - rows[:, 0]) ** 2))
    assert crossed.report["evaluated_on"] == "the held-out rows of 3 folds"
    assert crossed.report["evaluation"]["metrics"]["brier"] == pytest.approx(brier, rel=1e-5)


def test_the_final_model_is_that_of_all_rows(crossed: Home) -> None:
    assert crossed.train() == 0
    final = crossed.model
    crossed.order(eval_metric="auc", checkpoint_every="0")
    assert crossed.train() == 0
    assert crossed.model == final


def test_early_stopping_in_the_folds_decides_how_long_the_final_model_trains(
    crossed: Home, capfd: pytest.CaptureFixture[str]
) -> None:
    crossed.order(kfold="3", num_round="200", max_depth="6", eta="0.5", early_stopping_rounds="5")
    assert crossed.train() == 0
    rounds = [int(text) for text in re.findall(r"after (\d+) rounds", capfd.readouterr().out)]
    assert crossed.manifest["iterations"] == round(np.mean(rounds)) < 200


def test_finished_folds_are_not_trained_again(crossed: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert crossed.train() == 0
    first, model = crossed.report, crossed.model
    damaged = crossed.root / "checkpoints" / "fold-2-of-3.npz"
    damaged.write_bytes(damaged.read_bytes()[:300])
    trained, train = [], folds._train

    def counted(*given: Any) -> folds.Fold:
        trained.append(given)
        return train(*given)

    monkeypatch.setattr(folds, "_train", counted)
    assert crossed.train() == 0
    assert len(trained) == 1
    assert (crossed.report, crossed.model) == (first, model)
    crossed.order(kfold="3", eval_metric="auc", checkpoint_every="0", eta="0.1")
    assert crossed.train() == 0
    assert len(trained) == 4
