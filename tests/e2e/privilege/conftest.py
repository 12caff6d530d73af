"""A cloud in which every role that Dropscore knows exists."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.cloud import Clock, Cloud, throwaway
from tests.e2e.conftest import Hands

SETTINGS = Path(__file__).with_name("everything.toml")


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    environ = {**os.environ, "DROPSCORE_SETTINGS": str(SETTINGS)}
    with throwaway(tmp_path_factory.mktemp("cloud"), environ, print, Clock()) as running:
        yield running


@pytest.fixture(scope="session")
def hands(cloud: Cloud) -> Hands:
    return Hands(cloud)
