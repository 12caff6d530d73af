"""The rounds: train one, measure, keep a checkpoint, stop early or when told to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import xgboost

from model.training.checkpoints import Checkpoint, Checkpoints
from model.training.cluster import any_of, from_first
from model.training.errors import StoppedError
from model.training.hosts import Hosts
from model.training.hyperparameters.hyperparameters import Hyperparameters
from model.training.progress import Scores, say_round, scores_in
from model.training.stopping import Stop

GROW = ("auc", "aucpr")


@dataclass(frozen=True, kw_only=True)
class Trained:
    """`booster` holds every round, `rounds` says how many of them are the model."""

    booster: xgboost.Booster
    history: list[Scores]
    rounds: int

    @property
    def best(self) -> Scores:
        return self.history[self.rounds - 1]

    def model(self) -> xgboost.Booster:
        return self.booster if self.rounds == len(self.history) else self.booster[: self.rounds]


@dataclass(frozen=True, kw_only=True)
class Trainer:
    settings: Hyperparameters
    hosts: Hosts
    stop: Stop
    checkpoints: Checkpoints | None = None
    is_loud: bool = True

    def to_the_end(self) -> Trainer:
        """The same without early stopping."""
        return replace(self, settings=replace(self.settings, early_stopping_rounds=None))

    def train(self, watched: Mapping[str, xgboost.DMatrix], rounds: int) -> Trained:
        """`watched` has `train` first; early stopping goes by the last metric of the last one."""
        begun = self._begun()
        booster = self._booster(list(watched.values()), begun)
        history = begun.history if begun else []
        evaluated = [(matrix, name) for name, matrix in watched.items()]
        while len(history) < rounds and not self._is_spent(history):
            self._stop_if_asked(booster, history)
            _draw_anew(booster, self.settings)
            booster.update(watched["train"], len(history))
            self._measured(booster.eval_set(evaluated, len(history)), history)
            if self.checkpoints and self.hosts.is_first and self.checkpoints.is_due(len(history)):
                self.checkpoints.save(booster, history)
        patience = self.settings.early_stopping_rounds
        return Trained(booster=booster, history=history, rounds=best_round(history) if patience else len(history))

    def _begun(self) -> Checkpoint | None:
        if self.checkpoints is None:
            return None
        return from_first(self.checkpoints.newest() if self.hosts.is_first else None, self.hosts)

    def _booster(self, matrices: list[xgboost.DMatrix], begun: Checkpoint | None) -> xgboost.Booster:
        model = bytearray(begun.model) if begun else None
        return xgboost.Booster(self.settings.booster, matrices, model_file=model)

    def _is_spent(self, history: list[Scores]) -> bool:
        patience = self.settings.early_stopping_rounds
        return bool(patience and history and len(history) - best_round(history) >= patience)

    def _stop_if_asked(self, booster: xgboost.Booster, history: list[Scores]) -> None:
        if any_of(self.stop.is_asked, self.hosts):
            if self.checkpoints and self.hosts.is_first and history:
                self.checkpoints.save(booster, history)
            raise StoppedError

    def _measured(self, line: str, history: list[Scores]) -> None:
        history.append(scores_in(line))
        if self.is_loud and self.hosts.is_first:
            say_round(len(history) - 1, history[-1])


def _draw_anew(booster: xgboost.Booster, settings: Hyperparameters) -> None:
    """XGBoost's tree updaters draw columns from a generator seeded when they are made, which a resumed run cannot know.

    Another method and back makes them anew, so that each round draws from its own number alone.
    """
    method = settings.booster["tree_method"]
    booster.set_param({"tree_method": "hist" if method == "approx" else "approx"})
    booster.num_boosted_rounds()  # configures the booster
    booster.set_param({"tree_method": method})


def metric_of(history: list[Scores]) -> str:
    """The name that decides: the last metric of the last data set."""
    return list(history[0])[-1]


def best_round(history: list[Scores]) -> int:
    """Counted from 1; the first of equals, and a NaN is never best."""
    name = metric_of(history)
    sign = -1 if name.split("-", 1)[1].split("@")[0] in GROW else 1
    values = [math.inf if math.isnan(scores[name]) else sign * scores[name] for scores in history]
    return 1 + values.index(min(values))
