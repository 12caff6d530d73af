"""k-fold: train k times, each time without one fold of the rows, and measure on it. A resumed job keeps its folds."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.training.boosting import Trained, Trainer, metric_of
from model.training.data.labels import Vector
from model.training.data.matrix import matrix_of
from model.training.data.rows import Rows
from model.training.folders import write_atomically
from model.training.progress import Scores, print_line
from model.training.scoring import Scored, score

Folds = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Fold:
    """`scored` are the held-out rows, which the fold's model has not seen."""

    rounds: int
    best: Scores
    metric: str
    scored: Scored


@dataclass(frozen=True, kw_only=True)
class CrossValidation:
    folds: list[Fold]

    @property
    def rounds(self) -> int:
        """The average of the folds' rounds: how many rounds the model on all rows is trained."""
        return max(1, round(float(np.mean([fold.rounds for fold in self.folds]))))

    def summary(self) -> dict[str, dict[str, float]]:
        """Return each metric's mean and standard deviation (n - 1) over the folds."""
        found = {}
        for name in self.folds[0].best:
            if name.startswith("validation-"):
                values = [fold.best[name] for fold in self.folds]
                spread = float(np.std(values, ddof=1))
                found[name.removeprefix("validation-")] = {"mean": float(np.mean(values)), "std": spread}
        return found

    def scored(self) -> Scored:
        return Scored.joined([fold.scored for fold in self.folds])


def assign_folds(labels: Vector, k: int, seed: int, *, by_class: bool) -> Folds:
    """Return each row's fold: shuffled, of equal sizes, and stratified if `by_class`."""
    folds = np.empty(len(labels), dtype=np.uint8)
    rng = np.random.default_rng(seed)
    start = 0
    for value in np.unique(labels) if by_class else [None]:
        members = np.flatnonzero(labels == value) if by_class else np.arange(len(labels))
        folds[rng.permutation(members)] = (np.arange(len(members)) + start) % k
        # Continue where the last class ended; otherwise the first folds would get the remainder of every class.
        start += len(members)
    return folds


def cross_validate(rows: Rows, trainer: Trainer, folder: Path, run: str) -> CrossValidation:
    k = rows.settings.kfold or 0
    labels = np.concatenate([block.labels for block in rows.blocks()])
    assigned = assign_folds(labels, k, rows.settings.booster["seed"], by_class=rows.settings.is_classification)
    folds = []
    for number in range(k):
        path = folder / f"fold-{number + 1}-of-{k}.npz"
        fold = _finished(path, run)
        if fold is None:
            fold = _train(rows, assigned == number, trainer)
            write_atomically(path, _to_bytes(fold, run))
        print_line(f"fold {number + 1} of {k}: {fold.metric}={fold.best[fold.metric]:.6g} after {fold.rounds} rounds")
        folds.append(fold)
    return CrossValidation(folds=folds)


def _train(rows: Rows, is_held_out: NDArray[np.bool_], trainer: Trainer) -> Fold:
    held_out = rows.only(is_held_out)
    train = matrix_of(rows.only(~is_held_out), trainer.stop)
    validation = matrix_of(held_out, trainer.stop, like=train)
    trained: Trained = trainer.train({"train": train, "validation": validation}, rows.settings.num_round)
    return Fold(
        rounds=trained.rounds,
        best=trained.best,
        metric=metric_of(trained.history),
        scored=score(trained.model(), held_out, trainer.hosts),
    )


def _to_bytes(fold: Fold, run: str) -> bytes:
    facts = {"run": run, "rounds": fold.rounds, "best": fold.best, "metric": fold.metric}
    out = io.BytesIO()
    scored = fold.scored
    np.savez(out, facts=json.dumps(facts), labels=scored.labels, scores=scored.scores, weights=scored.weights)
    return out.getvalue()


def _finished(path: Path, run: str) -> Fold | None:
    """Return a finished fold; None if it is missing, belongs to another job, or was truncated on its way from S3."""
    if not path.exists():
        return None
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as found:
            facts = json.loads(str(found["facts"]))
            scored = Scored(labels=found["labels"], scores=found["scores"], weights=found["weights"])
    except (ValueError, OSError, EOFError, zipfile.BadZipFile):
        print_line(f"{path.name} is damaged; ignoring it")
        return None
    return Fold(**facts, scored=scored) if facts.pop("run") == run else None
