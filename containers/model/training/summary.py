"""The content of report.json for a finished job."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import xgboost

from model.training.boosting import Trained
from model.training.config import JobConfig
from model.training.folds import CrossValidation
from model.training.report.evaluation import evaluate
from model.training.report.report import importance
from model.training.scoring import Scored

TRAINING_ROWS = "train, which overestimates the model: add a channel validation, or kfold"


@dataclass(frozen=True, kw_only=True)
class Result:
    """`sizes` has the number of rows of each channel on all hosts; `scored` are the rows that `evaluated_on` names."""

    trained: Trained
    model: xgboost.Booster
    cross_validation: CrossValidation | None
    sizes: dict[str, int]
    evaluated_on: str
    scored: Scored


def describe(config: JobConfig, result: Result) -> dict[str, Any]:
    settings, trained = config.settings, result.trained
    return {
        "format": 1,
        "model": {
            "objective": settings.objective,
            "rounds": trained.rounds,
            "rounds_trained": len(trained.history),
            "features": result.model.num_features(),
            "rows": result.sizes,
            "hosts": len(config.hosts.names),
            "xgboost": xgboost.__version__,
        },
        "evaluated_on": result.evaluated_on,
        "evaluation": evaluate(result.scored, settings),
        "kfold": result.cross_validation.summary() if result.cross_validation else {},
        "importance": importance(result.model),
        "rounds": [{name: _finite(value) for name, value in scores.items()} for scores in trained.history],
        "hyperparameters": {name: settings.booster[name] for name in sorted(settings.booster)},
    }


def _finite(value: float) -> float | None:
    """JSON has no NaN."""
    return value if math.isfinite(value) else None
