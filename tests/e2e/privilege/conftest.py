"""A cloud in which every role that Dropscore knows exists."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.cloud import Cloud
from tests.e2e.conftest import Hands, cloud_of

SETTINGS = Path(__file__).with_name("everything.toml")


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with cloud_of(SETTINGS, tmp_path_factory.mktemp("cloud")) as running:
        yield running


@pytest.fixture(scope="session")
def hands(cloud: Cloud) -> Hands:
    return Hands(cloud)
