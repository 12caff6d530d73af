"""What a model says to the rows of a channel: the very scores that serving would give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xgboost
from numpy.typing import NDArray

from model.training.cluster import gathered
from model.training.data.labels import Vector
from model.training.data.rows import Rows
from model.training.hosts import Hosts

Numbers = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Scored:
    """`scores` is one number a row, or for classes one probability a class; weights are 1 where none are given."""

    labels: Vector
    scores: Numbers
    weights: Vector

    @classmethod
    def joined(cls, parts: Sequence[Scored]) -> Scored:
        return cls(
            labels=np.concatenate([part.labels for part in parts]),
            scores=np.concatenate([part.scores for part in parts]),
            weights=np.concatenate([part.weights for part in parts]),
        )


def score(booster: xgboost.Booster, rows: Rows, hosts: Hosts) -> Scored:
    parts = []
    for block in rows.blocks():
        is_softmax = rows.settings.objective == "multi:softmax"
        kind = "margin" if is_softmax else "value"
        # In place: a DMatrix would wait for the other hosts, who may have more blocks or fewer.
        scores = booster.inplace_predict(block.features, predict_type=kind, validate_features=False)
        weights = np.ones(len(block.labels), dtype=np.float32) if block.weights is None else block.weights
        parts.append(Scored(labels=block.labels, scores=_softmax(scores) if is_softmax else scores, weights=weights))
    return Scored.joined(gathered(Scored.joined(parts), hosts))


def _softmax(margins: Numbers) -> Numbers:
    """`multi:softmax` answers with the class alone; the report wants its probability too."""
    powers = np.exp(margins - margins.max(axis=1, keepdims=True))
    shares: Numbers = powers / powers.sum(axis=1, keepdims=True)
    return shares
