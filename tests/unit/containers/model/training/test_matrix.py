from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import xgboost

from model.training.config import read_config
from model.training.data import csv_file, matrix
from model.training.data.matrix import Kept, matrix_of
from model.training.data.rows import Block, Rows
from model.training.errors import StoppedError
from model.training.folders import Folders
from model.training.progress import Stop
from tests.unit.containers.model.training.conftest import Home, csv_of, table

ALL_BYTES = 400 * 4 * 4


@pytest.fixture
def rows(ready: Home, monkeypatch: pytest.MonkeyPatch) -> Rows:
    monkeypatch.setattr(csv_file, "CHUNK_BYTES", 2000)
    return read_config(Folders(ready.root)).train


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Rows]:
    """Grows by one each time the files are read."""
    found: list[Rows] = []
    read = Rows.blocks

    def counted(self: Rows) -> Iterator[Block]:
        found.append(self)
        return read(self)

    monkeypatch.setattr(Rows, "blocks", counted)
    return found


@pytest.mark.parametrize(("limit", "times"), [(1 << 20, 1), (ALL_BYTES, 1), (ALL_BYTES - 1, 3), (0, 3)])
def test_blocks_are_read_once_while_they_fit(
    rows: Rows, opened: list[Rows], limit: int, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matrix, "KEPT_BYTES", limit)
    kept = Kept(rows)
    assert [sum(len(block.labels) for block in kept) for _ in range(3)] == [400, 400, 400]
    assert len(opened) == times


def test_a_pass_that_is_broken_off_keeps_nothing(rows: Rows) -> None:
    kept = Kept(rows)
    next(iter(kept))
    assert sum(len(block.labels) for block in kept) == 400


@pytest.mark.parametrize("limit", [0, 1 << 20])
def test_the_quantiles_are_those_of_all_rows(rows: Rows, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "KEPT_BYTES", limit)
    found = matrix_of(rows, Stop())
    whole = table().astype(np.float32)
    expected = xgboost.QuantileDMatrix(whole[:, 1:], whole[:, 0], nthread=1)
    assert (found.num_row(), found.num_col()) == (400, 4)
    ours, theirs = (sorted(map(float, one.get_quantile_cut()[1])) for one in (found, expected))
    assert ours == theirs


def test_sigterm_is_heard_while_reading(rows: Rows) -> None:
    stop = Stop()
    stop.request()
    with pytest.raises(StoppedError):
        matrix_of(rows, stop)


def test_a_fault_in_the_rows_comes_out_of_xgboosts_iterator(ready: Home) -> None:
    ready.put("train", csv_of(table()) + "1,x,1,1,1\n")
    assert ready.train() == 1
    assert "row 401, column 2" in ready.failure
