"""The rows of a channel: labels, weights and features, block by block, read anew each time they are wanted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.training.data.channels import PARQUET, Channel
from model.training.data.csv_file import Matrix, Opened, open_csv
from model.training.data.labels import check_labels, check_weights
from model.training.data.parquet_file import open_parquet
from model.training.errors import TrainingError
from model.training.hosts import Hosts
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
    """`names` are the features', None without a header; `keep` selects rows by position, for folds."""

    channel: Channel
    settings: Hyperparameters
    hosts: Hosts
    columns: int
    names: tuple[str, ...] | None
    keep: Mask | None = None

    def only(self, keep: Mask) -> Rows:
        return replace(self, keep=keep)

    def of(self, channel: Channel) -> Rows:
        """The rows of another channel, which must have the same columns."""
        return replace(self, channel=channel)

    def blocks(self) -> Iterator[Block]:
        position = 0
        for path, kind in self.channel.files:
            place = self.channel.place(path)
            opened = open_file(path, kind, place, self.settings)
            self._check_columns(opened, place)
            for first, matrix in opened.matrices:
                block = self._block(matrix, first, place)
                wanted = self._wanted(position, len(matrix))
                position += len(matrix)
                if wanted.any():
                    yield block if wanted.all() else _part(block, wanted)

    def _check_columns(self, opened: Opened, place: str) -> None:
        if opened.columns != self.columns:
            raise TrainingError(f"{place} has {opened.columns} columns, the first file of channel train {self.columns}")
        names = feature_names(opened, place, self.settings)
        if names and self.names and names != self.names:
            raise TrainingError(f"{place}: its header names other columns, or in another order, than the first file's")

    def _block(self, matrix: Matrix, first: int, place: str) -> Block:
        ahead = 1 + self.settings.csv_weights
        labels = matrix[:, 0].copy()
        weights = matrix[:, 1].copy() if self.settings.csv_weights else None
        check_labels(labels, self.settings, first, place)
        check_weights(weights, first, place)
        features = matrix[:, ahead:].copy()
        if self.settings.missing is not None:
            features[features == np.float32(self.settings.missing)] = np.nan
        return Block(features=features, labels=labels, weights=weights)

    def _wanted(self, position: int, count: int) -> Mask:
        if self.keep is not None:
            return self.keep[position : position + count]
        if self.channel.is_shared and not self.hosts.is_alone:
            turn: Mask = np.arange(position, position + count) % len(self.hosts.names) == self.hosts.index
            return turn
        return np.ones(count, dtype=bool)


def _part(block: Block, wanted: Mask) -> Block:
    weights = None if block.weights is None else block.weights[wanted]
    return Block(features=block.features[wanted], labels=block.labels[wanted], weights=weights)


def rows_of(channel: Channel, settings: Hyperparameters, hosts: Hosts) -> Rows:
    """The first file says how many columns there are and what they are called."""
    path, kind = channel.files[0]
    place = channel.place(path)
    opened = open_file(path, kind, place, settings)
    wanted = 2 + settings.csv_weights
    if opened.columns < wanted:
        raise TrainingError(f"{place}: one row has {opened.columns} columns, at least {wanted} are needed; label first")
    names = feature_names(opened, place, settings)
    return Rows(channel=channel, settings=settings, hosts=hosts, columns=opened.columns, names=names)


def open_file(path: Path, kind: str, place: str, settings: Hyperparameters) -> Opened:
    return open_parquet(path, place) if kind == PARQUET else open_csv(path, place, settings.csv_header)


def feature_names(opened: Opened, place: str, settings: Hyperparameters) -> tuple[str, ...] | None:
    """XGBoost allows no brackets and no `<` in a name."""
    if opened.names is None:
        return None
    names = tuple(re.sub(r"[\[\]<]", "_", name) for name in opened.names[1 + settings.csv_weights :])
    if len(set(names)) != len(names):
        raise TrainingError(f"{place}: two columns have the same name; rename one")
    return names
