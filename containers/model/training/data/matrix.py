"""Build the matrices that XGBoost trains on. With `hist`, memory holds only quantized bins: 1 or 2 bytes per cell."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import xgboost

from model.training.data.rows import Block, Rows
from model.training.errors import StoppedError, TrainingError
from model.training.progress import Stop

DEFAULT_BINS = 256
KEPT_BYTES = 256 << 20


class Kept:
    """A channel's blocks, kept in memory if they fit; otherwise read from the files each time."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.kept: list[Block] | None = None

    def __iter__(self) -> Iterator[Block]:
        if self.kept is not None:
            yield from self.kept
            return
        first: list[Block] = []
        held = 0
        for block in self.rows.blocks():
            held += block.features.nbytes
            if held > KEPT_BYTES:
                # The channel is too large: release its blocks, and read the files again in each pass.
                first.clear()
            else:
                first.append(block)
            yield block
        # Only after a whole pass: part of a channel must not be taken for all of it.
        self.kept = first if held <= KEPT_BYTES else None


class Blocks(xgboost.DataIter):
    """The iterator for XGBoost, which reads the rows four or five times."""

    def __init__(self, rows: Rows, stop: Stop) -> None:
        super().__init__()
        self.rows, self.stop, self.kept = rows, stop, Kept(rows)
        self.reset()

    def reset(self) -> None:
        self.blocks = iter(self.kept)
        self.count = 0

    def next(self, input_data: Callable[..., None]) -> bool:
        # Building the matrix may take longer than the 120 s that a stopped job has.
        if self.stop.is_requested:
            raise StoppedError
        block = next(self.blocks, None)
        if block is None:
            if not self.count:
                raise no_rows(self.rows)
            return False
        self.count += len(block.labels)
        input_data(
            data=block.features, label=block.labels, weight=block.weights, feature_names=_listed(self.rows.names)
        )
        return True


def matrix_of(rows: Rows, stop: Stop, *, like: xgboost.DMatrix | None = None) -> xgboost.DMatrix:
    """Return the matrix of `rows`. `like` is the training data, whose quantiles validation data must share."""
    threads = rows.settings.booster["nthread"]
    if rows.settings.is_in_memory:
        return _in_memory(rows, threads)
    bins = int(rows.settings.booster.get("max_bin", DEFAULT_BINS))
    return xgboost.QuantileDMatrix(Blocks(rows, stop), max_bin=bins, nthread=threads, ref=like)


def _in_memory(rows: Rows, threads: int) -> xgboost.DMatrix:
    blocks = list(rows.blocks())
    if not blocks:
        raise no_rows(rows)
    return xgboost.DMatrix(
        np.concatenate([block.features for block in blocks]),
        np.concatenate([block.labels for block in blocks]),
        weight=None if blocks[0].weights is None else np.concatenate([block.weights for block in blocks]),
        feature_names=_listed(rows.names),
        nthread=threads,
    )


def _listed(names: tuple[str, ...] | None) -> list[str] | None:
    return None if names is None else list(names)


def no_rows(rows: Rows) -> TrainingError:
    return TrainingError(f"channel {rows.channel.name} has no rows for this host; add rows, or use fewer hosts")
