"""Boosting rounds: train one, measure it, save a checkpoint, stop early or on SIGTERM."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import xgboost

from model.training.checkpoints import Checkpoint, Checkpoints
from model.training.cluster import Hosts, any_of, from_first
from model.training.errors import StoppedError
from model.training.hyperparameters.hyperparameters import Hyperparameters
from model.training.progress import Scores, Stop, print_round, scores_in

HIGHER_IS_BETTER = ("auc", "aucpr")


@dataclass(frozen=True, kw_only=True)
class Trained:
    """`booster` has every round that was trained; the first `rounds` of them are the model."""

    booster: xgboost.Booster
    history: list[Scores]
    rounds: int

    @property
    def best(self) -> Scores:
        return self.history[self.rounds - 1]

    def model(self) -> xgboost.Booster:
        """Return the booster with only the rounds of the model."""
        return self.booster if self.rounds == len(self.history) else self.booster[: self.rounds]


@dataclass(frozen=True, kw_only=True)
class Trainer:
    settings: Hyperparameters
    hosts: Hosts
    stop: Stop
    checkpoints: Checkpoints | None = None
    is_verbose: bool = True

    def to_the_end(self) -> Trainer:
        """Return the same trainer without early stopping."""
        return replace(self, settings=replace(self.settings, early_stopping_rounds=None))

    def train(self, watched: Mapping[str, xgboost.DMatrix], rounds: int) -> Trained:
        """Train up to `rounds` rounds, or resume from the newest checkpoint.

        `watched` has `train` first; early stopping uses the last metric of the last data set. Raises StoppedError.
        """
        checkpoint = self._checkpoint()
        booster = self._booster(list(watched.values()), checkpoint)
        history = checkpoint.history if checkpoint else []
        evaluated = [(matrix, name) for name, matrix in watched.items()]
        while len(history) < rounds and not self._should_stop_early(history):
            # Between rounds, so that a checkpoint holds whole rounds.
            self._stop_if_requested(booster, history)
            _reseed(booster, self.settings)
            booster.update(watched["train"], len(history))
            self._measure(booster.eval_set(evaluated, len(history)), history)
            if self.checkpoints and self.hosts.is_first and self.checkpoints.is_due(len(history)):
                self.checkpoints.save(booster, history)
        patience = self.settings.early_stopping_rounds
        return Trained(booster=booster, history=history, rounds=best_round(history) if patience else len(history))

    def _checkpoint(self) -> Checkpoint | None:
        if self.checkpoints is None:
            return None
        # Only the first host has checkpoints, and all hosts must resume from the same round.
        return from_first(self.checkpoints.newest() if self.hosts.is_first else None, self.hosts)

    def _booster(self, matrices: list[xgboost.DMatrix], checkpoint: Checkpoint | None) -> xgboost.Booster:
        model = bytearray(checkpoint.model) if checkpoint else None
        return xgboost.Booster(self.settings.booster, matrices, model_file=model)

    def _should_stop_early(self, history: list[Scores]) -> bool:
        patience = self.settings.early_stopping_rounds
        return bool(patience and history and len(history) - best_round(history) >= patience)

    def _stop_if_requested(self, booster: xgboost.Booster, history: list[Scores]) -> None:
        # Each host makes this collective call in each round: a host that left it out would leave the others waiting.
        if any_of(self.stop.is_requested, self.hosts):
            if self.checkpoints and self.hosts.is_first and history:
                self.checkpoints.save(booster, history)
            raise StoppedError

    def _measure(self, line: str, history: list[Scores]) -> None:
        history.append(scores_in(line))
        if self.is_verbose and self.hosts.is_first:
            print_round(len(history) - 1, history[-1])


def _reseed(booster: xgboost.Booster, settings: Hyperparameters) -> None:
    """Make the columns that a round samples depend on its number alone.

    XGBoost's tree updaters sample columns from a generator that is seeded when they are created, which a resumed run
    cannot reproduce. Switching to another method and back creates them again.
    """
    method = settings.booster["tree_method"]
    booster.set_param({"tree_method": "hist" if method == "approx" else "approx"})
    booster.num_boosted_rounds()  # configures the booster
    booster.set_param({"tree_method": method})


def metric_of(history: list[Scores]) -> str:
    """Return the metric that early stopping uses: the last metric of the last data set."""
    return list(history[0])[-1]


def best_round(history: list[Scores]) -> int:
    """Return the best round, counted from 1; the first of equals. A NaN is never best."""
    name = metric_of(history)
    sign = -1 if name.split("-", 1)[1].split("@")[0] in HIGHER_IS_BETTER else 1
    values = [math.inf if math.isnan(scores[name]) else sign * scores[name] for scores in history]
    return 1 + values.index(min(values))
