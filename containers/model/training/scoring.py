"""Score the rows of a channel exactly as serving would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xgboost
from numpy.typing import NDArray

from model.training.cluster import Hosts, gathered
from model.training.data.labels import Vector
from model.training.data.rows import Rows

Numbers = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Scored:
    """`scores` has one number per row, or one probability per class; weights are 1 unless the channel has them."""

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
    """Return the scores of all hosts' rows."""
    parts = []
    for block in rows.blocks():
        is_softmax = rows.settings.objective == "multi:softmax"
        predict_type = "margin" if is_softmax else "value"
        # In place, because a DMatrix would wait for the other hosts, which may have fewer blocks.
        scores = booster.inplace_predict(block.features, predict_type=predict_type, validate_features=False)
        weights = np.ones(len(block.labels), dtype=np.float32) if block.weights is None else block.weights
        parts.append(Scored(labels=block.labels, scores=_softmax(scores) if is_softmax else scores, weights=weights))
    return Scored.joined(gathered(Scored.joined(parts), hosts))


def _softmax(margins: Numbers) -> Numbers:
    """`multi:softmax` predicts only the class; the report needs its probability too."""
    powers = np.exp(margins - margins.max(axis=1, keepdims=True))
    shares: Numbers = powers / powers.sum(axis=1, keepdims=True)
    return shares
