"""Read and check a job's hyperparameters, hosts and channels before training starts."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import xgboost

from model.training.cluster import Hosts
from model.training.data.channels import channel
from model.training.data.matrix import no_rows
from model.training.data.rows import Rows, rows_of
from model.training.errors import TrainingError
from model.training.folders import Folders
from model.training.hyperparameters.hyperparameters import Hyperparameters, parse

# These do not change the model.
NOT_IN_DIGEST = ("nthread", "verbosity", "seed_per_iteration")


@dataclass(frozen=True, kw_only=True)
class JobConfig:
    settings: Hyperparameters
    hosts: Hosts
    train: Rows
    validation: Rows | None

    @property
    def channels(self) -> list[Rows]:
        return [rows for rows in (self.train, self.validation) if rows]

    def run(self) -> str:
        """Return a digest of everything that determines the model, except the numbers of rounds and threads."""
        booster = {name: value for name, value in self.settings.booster.items() if name not in NOT_IN_DIGEST}
        ours = [self.settings.csv_weights, self.settings.csv_header, self.settings.missing, self.settings.kfold]
        files = [
            (rows.channel.place(path), path.stat().st_size) for rows in self.channels for path, _ in rows.channel.files
        ]
        facts = [booster, ours, files, self.hosts.names, xgboost.__version__]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def read_config(folders: Folders) -> JobConfig:
    """Return the checked configuration. Raises TrainingError."""
    settings = parse(folders.config("hyperparameters"))
    hosts = Hosts.from_config(folders.config("resourceconfig"))
    train, validation = channel(folders, "train"), channel(folders, "validation")
    if train is None:
        raise TrainingError("the channel train is missing: put its files under input/data/train")
    rows = rows_of(train, settings, hosts)
    validation_rows = rows.of(validation) if validation else None
    config = JobConfig(settings=settings, hosts=hosts, train=rows, validation=validation_rows)
    _check_together(config)
    # A host that trains alone leaves no other waiting, and finds faults while it reads.
    if not hosts.is_alone:
        _check_rows(config)
    return config


def _check_together(config: JobConfig) -> None:
    if config.settings.kfold and not config.hosts.is_alone:
        raise TrainingError("hyperparameters: kfold needs one host; remove it, or give the job one instance")
    if config.settings.early_stopping_rounds and not (config.validation or config.settings.kfold):
        raise TrainingError(
            "hyperparameters: early_stopping_rounds needs a channel validation, or kfold; add one, or remove it"
        )


def _check_rows(config: JobConfig) -> None:
    """Read all rows now, so that a fault ends the job before the hosts wait for each other."""
    for rows in config.channels:
        if not sum(len(block.labels) for block in rows.blocks()):
            raise no_rows(rows)
