"""Differential: the scores of files with headers in any order, against pandas and `Booster.predict`."""

from __future__ import annotations

import csv
import importlib
import random
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xgboost

from dropscore.files.layout import Layout
from dropscore.files.requests import cut
from dropscore.jobs.options import Options

NAMES = ["amount", "größe", "x y", 'a"b', "v,1", "2020"]
FILES = 300


@pytest.fixture(scope="module")
def booster() -> xgboost.Booster:
    cells = np.random.default_rng(3).normal(size=(500, len(NAMES))).astype(np.float32)
    labels = cells @ np.array([1, -2, 3, -4, 5, -6]) + cells[:, 0] * cells[:, 3]
    return xgboost.train({"max_depth": 4, "nthread": 1}, xgboost.DMatrix(cells, labels, feature_names=NAMES), 12)


@pytest.fixture
def parse(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What our container makes of a request."""
    schema = importlib.import_module("model.serving.formats.schema").Schema(features=len(NAMES))
    reader = importlib.import_module("model.serving.formats.csv_rows").parse
    return lambda request: reader(request, schema)


def _table(chance: random.Random) -> tuple[pd.DataFrame, list[str]]:
    """The features, with columns beside them that are text, numbers or empty; all of it in any order."""
    rows = chance.randint(1, 30)
    others = {
        "customer_id": [f"c{number}" for number in range(rows)],
        "note": [chance.choice(["", "a,b", 'say "x"', "two\nlines", "17"]) for _ in range(rows)],
        "label": [chance.randint(0, 1) for _ in range(rows)],
        "Amount": [chance.random() for _ in range(rows)],
    }
    added = chance.sample(sorted(others), chance.randint(0, len(others)))
    cells = {name: [chance.choice([None, chance.uniform(-3, 3), -1.5, 0]) for _ in range(rows)] for name in NAMES}
    table = pd.DataFrame({**cells, **{name: others[name] for name in added}})
    return table[chance.sample(list(table.columns), len(table.columns))], added


def _options(chance: random.Random, table: pd.DataFrame, added: list[str], delimiter: str) -> Options:
    said: dict[str, Any] = {"delimiter": delimiter}
    words = [chance.choice([name, list(table.columns).index(name) + 1]) for name in added]
    if words and chance.random() < 0.7:
        said["id"] = words.pop()
    return Options.parse({**said, "exclude": words}, "test")


@pytest.mark.parametrize("seed", range(10))
def test_scores_are_those_of_the_booster_in_whatever_order(seed: int, booster: xgboost.Booster, parse: Any) -> None:
    for number in range(FILES // 10):
        chance = random.Random(f"{seed}-{number}")
        table, added = _table(chance)
        delimiter = chance.choice([",", ";", "\t", "|"])
        quoting: Any = chance.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
        ends = chance.choice(["\n", "\r\n"])
        text = table.to_csv(index=False, sep=delimiter, lineterminator=ends, quoting=quoting)
        file = chance.choice([b"", b"\xef\xbb\xbf"]) + text.encode()
        options = _options(chance, table, added, delimiter)

        layout = Layout.of(file, options, features=len(NAMES), is_whole=True, names=NAMES)
        requests = cut([file[layout.data_offset :]], chance.choice([300, 1 << 20]), layout.dialect)
        scored = [score for request in requests for score in _predict(booster, parse(layout.payload(request.data)))]

        assert scored == _predict(booster, table[NAMES].to_numpy(dtype=float)), (seed, number, text)
        assert layout.matching.is_by_name


def _predict(booster: xgboost.Booster, cells: Any) -> list[float]:
    return list(booster.predict(xgboost.DMatrix(cells, feature_names=NAMES, nthread=1)))
