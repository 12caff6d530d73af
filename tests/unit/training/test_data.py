from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from training import data


def test_rows_look_like_the_public_data() -> None:
    features, labels = (np.concatenate(part) for part in zip(*data.blocks(50_000), strict=True))
    assert features.shape == (50_000, len(data.COLUMNS)) == (50_000, 30)
    assert labels.mean() == pytest.approx(0.0017, rel=0.3)
    assert (np.diff(features[:, 0]) >= 0).all()
    assert (features[:, 29] >= 0).all()


def test_first_rows_do_not_depend_on_the_count(tmp_path: Path) -> None:
    data.write(tmp_path / "few.csv", 3, seed=7)
    data.write(tmp_path / "many.csv", data.BLOCK_ROWS + 3, seed=7)
    few, many = (tmp_path / "few.csv").read_text(), (tmp_path / "many.csv").read_text()
    assert many.startswith(few)
    assert many.count("\n") == data.BLOCK_ROWS + 3


def test_another_seed_gives_other_rows() -> None:
    assert not np.array_equal(next(data.blocks(5, seed=0))[0], next(data.blocks(5, seed=1))[0])


def test_text_reads_back_to_the_same_numbers_and_is_500_bytes_a_row(tmp_path: Path) -> None:
    data.write(tmp_path / "rows.csv", 200)
    assert np.array_equal(np.loadtxt(tmp_path / "rows.csv", delimiter=","), next(data.blocks(200))[0])
    assert (tmp_path / "rows.csv").stat().st_size / 200 == pytest.approx(500, rel=0.02)


def test_label_comes_first_with_the_option(tmp_path: Path) -> None:
    data.write(tmp_path / "rows.csv", 2000, label=True)
    table = np.loadtxt(tmp_path / "rows.csv", delimiter=",")
    features, labels = next(data.blocks(2000))
    assert labels.any()
    assert np.array_equal(table, np.column_stack([labels, features]))


def test_memory_is_that_of_a_block_and_not_of_the_file(tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        data.write(tmp_path / "rows.csv", 6 * data.BLOCK_ROWS)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # A block is 5 MB of text and 300,000 Python floats; keeping all six would be 200 MB.
    assert peak < 60_000_000
