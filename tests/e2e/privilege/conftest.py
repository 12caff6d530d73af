"""A cloud in which every role of Dropscore exists."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from local.cloud import Cloud
from model_tools.artifact import load, pack
from tests.e2e.conftest import DEMO, Driver, cloud_of
from training import data

SETTINGS = Path(__file__).with_name("everything.toml")
NAMED = "named.tar.gz"


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    folder = tmp_path_factory.mktemp("settings")
    written = SETTINGS.read_text().replace("../../../build/demo", str(DEMO)).replace(NAMED, str(folder / NAMED))
    (folder / SETTINGS.name).write_text(written)
    name_features(DEMO / "model.tar.gz", folder / NAMED)
    with cloud_of(folder / SETTINGS.name, tmp_path_factory.mktemp("cloud")) as running:
        yield running


def name_features(source: Path, destination: Path) -> None:
    """Copies the model and names its features: `submit`, `reconcile` and the workers must read that object."""
    manifest, model = load(source.read_bytes())
    pack(destination, replace(manifest, feature_names=data.COLUMNS), model)


@pytest.fixture(scope="session")
def driver(cloud: Cloud) -> Driver:
    return Driver(cloud)
