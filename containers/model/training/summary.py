"""What a finished job has to say of itself: the content of report.json."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import xgboost

from model.training.boosting import Trained
from model.training.folds import CrossValidation
from model.training.report.evaluation import evaluate
from model.training.report.report import importance
from model.training.request import Order
from model.training.scoring import Scored

FLATTERING = "train, which flatters the model: give a channel validation, or kfold"


@dataclass(frozen=True, kw_only=True)
class Result:
    """`sizes` counts the rows of each channel on all hosts; `scored` are the rows that `evaluated_on` names."""

    trained: Trained
    model: xgboost.Booster
    crossed: CrossValidation | None
    sizes: dict[str, int]
    evaluated_on: str
    scored: Scored


def describe(order: Order, result: Result) -> dict[str, Any]:
    settings, trained = order.settings, result.trained
    return {
        "format": 1,
        "model": {
            "objective": settings.objective,
            "rounds": trained.rounds,
            "rounds_trained": len(trained.history),
            "features": result.model.num_features(),
            "rows": result.sizes,
            "hosts": len(order.hosts.names),
            "xgboost": xgboost.__version__,
        },
        "evaluated_on": result.evaluated_on,
        "evaluation": evaluate(result.scored, settings),
        "kfold": result.crossed.summary() if result.crossed else {},
        "importance": importance(result.model),
        "rounds": [{name: _finite(value) for name, value in scores.items()} for scores in trained.history],
        "hyperparameters": {name: settings.booster[name] for name in sorted(settings.booster)},
    }


def _finite(value: float) -> float | None:
    """JSON knows no NaN."""
    return value if math.isfinite(value) else None
