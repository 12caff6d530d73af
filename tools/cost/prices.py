"""Reads the dated prices behind all numbers of docs/cost.md."""

from __future__ import annotations

import tomllib
from pathlib import Path

from tools.cost.idle import Prices

PRICES = Path(__file__).with_name("prices.toml")


def read_prices(file: Path) -> Prices:
    return tomllib.loads(file.read_text())
