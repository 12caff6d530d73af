"""What a job is asked to do: its hyperparameters, its hosts and its rows, checked before anything is trained."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import xgboost

from model.training.data.channels import channel
from model.training.data.matrix import no_rows
from model.training.data.rows import Rows, rows_of
from model.training.errors import TrainingError
from model.training.folders import Folders
from model.training.hosts import Hosts
from model.training.hyperparameters.hyperparameters import Hyperparameters, parse

UNTOLD = ("nthread", "verbosity", "seed_per_iteration")


@dataclass(frozen=True, kw_only=True)
class Order:
    settings: Hyperparameters
    hosts: Hosts
    train: Rows
    validation: Rows | None

    @property
    def channels(self) -> list[Rows]:
        return [rows for rows in (self.train, self.validation) if rows]

    def run(self) -> str:
        """A digest of all that makes the model, but for how many rounds and how many threads."""
        told = {name: value for name, value in self.settings.booster.items() if name not in UNTOLD}
        ours = [self.settings.csv_weights, self.settings.csv_header, self.settings.missing, self.settings.kfold]
        files = [
            (rows.channel.place(path), path.stat().st_size) for rows in self.channels for path, _ in rows.channel.files
        ]
        facts = [told, ours, files, self.hosts.names, xgboost.__version__]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def read_order(folders: Folders) -> Order:
    settings = parse(folders.config("hyperparameters"))
    hosts = Hosts.from_config(folders.config("resourceconfig"))
    train, validation = channel(folders, "train"), channel(folders, "validation")
    if train is None:
        raise TrainingError("there is no channel train: put its files under input/data/train")
    rows = rows_of(train, settings, hosts)
    order = Order(settings=settings, hosts=hosts, train=rows, validation=rows.of(validation) if validation else None)
    _check_together(order)
    if not hosts.is_alone:
        _check_rows(order)
    return order


def _check_together(order: Order) -> None:
    if order.settings.kfold and not order.hosts.is_alone:
        raise TrainingError("hyperparameters: kfold runs on one host; take it out, or give the job one instance")
    if order.settings.early_stopping_rounds and not (order.validation or order.settings.kfold):
        raise TrainingError(
            "hyperparameters: early_stopping_rounds needs a channel validation, or kfold, to know when; give one"
        )


def _check_rows(order: Order) -> None:
    """A fault must come out before the hosts wait for each other."""
    for rows in order.channels:
        if not sum(len(block.labels) for block in rows.blocks()):
            raise no_rows(rows)
