"""The rows of a channel: labels, weights and features, block by block, read from the files each time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.training.cluster import Hosts
from model.training.data.channels import PARQUET, Channel
from model.training.data.csv_file import Matrix, Opened, open_csv
from model.training.data.labels import check_labels, check_weights
from model.training.data.parquet_file import open_parquet
from model.training.errors import TrainingError
from model.training.hyperparameters.hyperparameters import Hyperparameters

Vector = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Block:
    features: Matrix
    labels: Vector
    weights: Vector | None


@dataclass(frozen=True, kw_only=True)
class Rows:
    """`names` are those of the features, None without a header; `keep` selects rows by position, for folds."""

    channel: Channel
    settings: Hyperparameters
    hosts: Hosts
    columns: int
    names: tuple[str, ...] | None
    keep: Mask | None = None

    def only(self, keep: Mask) -> Rows:
        return replace(self, keep=keep)

    def of(self, channel: Channel) -> Rows:
        """Return the rows of another channel, which must have the same columns."""
        return replace(self, channel=channel)

    def blocks(self) -> Iterator[Block]:
        position = 0
        for path, content_type in self.channel.files:
            place = self.channel.place(path)
            opened = open_file(path, content_type, place, self.settings)
            self._check_columns(opened, place)
            for first, matrix in opened.matrices:
                block = self._block(matrix, first, place)
                selected = self._selected(position, len(matrix))
                position += len(matrix)
                if selected.any():
                    yield block if selected.all() else _part(block, selected)

    def _check_columns(self, opened: Opened, place: str) -> None:
        if opened.columns != self.columns:
            raise TrainingError(
                f"{place} has {opened.columns} columns, but the first file of channel train has {self.columns}"
            )
        names = feature_names(opened, place, self.settings)
        if names and self.names and names != self.names:
            raise TrainingError(f"{place}: its header has other names, or another order, than the first file's header")

    def _block(self, matrix: Matrix, first: int, place: str) -> Block:
        ahead = 1 + self.settings.csv_weights
        # Copies, because views would keep the whole matrix in memory.
        labels = matrix[:, 0].copy()
        weights = matrix[:, 1].copy() if self.settings.csv_weights else None
        check_labels(labels, self.settings, first, place)
        check_weights(weights, first, place)
        features = matrix[:, ahead:].copy()
        if self.settings.missing is not None:
            features[features == np.float32(self.settings.missing)] = np.nan
        return Block(features=features, labels=labels, weights=weights)

    def _selected(self, position: int, count: int) -> Mask:
        if self.keep is not None:
            return self.keep[position : position + count]
        # `position` counts the rows of all files, so all hosts divide them in the same way.
        if self.channel.is_shared and not self.hosts.is_alone:
            turn: Mask = np.arange(position, position + count) % len(self.hosts.names) == self.hosts.index
            return turn
        return np.ones(count, dtype=bool)


def _part(block: Block, selected: Mask) -> Block:
    weights = None if block.weights is None else block.weights[selected]
    return Block(features=block.features[selected], labels=block.labels[selected], weights=weights)


def rows_of(channel: Channel, settings: Hyperparameters, hosts: Hosts) -> Rows:
    """Take the number and names of columns from the first file. Raises TrainingError."""
    path, content_type = channel.files[0]
    place = channel.place(path)
    opened = open_file(path, content_type, place, settings)
    least = 2 + settings.csv_weights
    if opened.columns < least:
        raise TrainingError(f"{place} needs at least {least} columns, with the label first, but has {opened.columns}")
    names = feature_names(opened, place, settings)
    return Rows(channel=channel, settings=settings, hosts=hosts, columns=opened.columns, names=names)


def open_file(path: Path, content_type: str, place: str, settings: Hyperparameters) -> Opened:
    return open_parquet(path, place) if content_type == PARQUET else open_csv(path, place, settings.csv_header)


def feature_names(opened: Opened, place: str, settings: Hyperparameters) -> tuple[str, ...] | None:
    """Return the names with brackets and `<` replaced, which XGBoost does not allow in a name."""
    if opened.names is None:
        return None
    names = tuple(re.sub(r"[\[\]<]", "_", name) for name in opened.names[1 + settings.csv_weights :])
    if len(set(names)) != len(names):
        raise TrainingError(f"{place}: two columns have the same name; rename one")
    return names
