from __future__ import annotations

import tracemalloc

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pyarrow import csv

from model.serving import parallel
from model.serving.formats import cells

Rows = NDArray[np.float32]
CELL = st.sampled_from(["", "1", "-0.0", "nan", "-nan", "inf", "+1.5e+05", "1e400", "4.9e-324", "0.30000000000000004"])
ODD = CELL | st.text("0123456789+-.eE_xnaif(\0'é", max_size=6)
TEXTS = st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(CELL, min_size=width, max_size=width), min_size=1))
ODD_TEXTS = st.lists(st.lists(ODD, min_size=1, max_size=4), min_size=1, max_size=6)


def by_reader(text: bytes, features: int) -> Rows | None:
    """Return the result of Arrow's own CSV reader."""
    names = [str(number) for number in range(features)]
    kinds = dict.fromkeys(names, pa.float64())
    try:
        table = csv.read_csv(
            pa.BufferReader(text),
            read_options=csv.ReadOptions(column_names=names, use_threads=False, block_size=len(text) + 1),
            parse_options=csv.ParseOptions(quote_char=False, ignore_empty_lines=False),
            convert_options=csv.ConvertOptions(column_types=kinds, null_values=[""]),
        )
    except pa.ArrowInvalid:
        return None
    with np.errstate(over="ignore"):
        found: Rows = np.stack([column.to_numpy() for column in table.columns], axis=1).astype(np.float32)
    return found


def by_cells(text: bytes, features: int) -> Rows | None:
    try:
        return cells.numbers(text, features)
    except pa.ArrowInvalid:
        return None


@settings(max_examples=400, deadline=None)
@given(TEXTS | ODD_TEXTS)
def test_plain_cells_are_what_the_csv_reader_finds(table: list[list[str]]) -> None:
    text, features = "".join(",".join(row) + "\n" for row in table).encode(), len(table[0])
    found, expected = by_cells(text, features), by_reader(text, features)
    if expected is None or (features > 1 and b"\n\n" in b"\n" + text):  # the reader takes a blank line for a row
        assert found is None
    else:
        assert found is not None
        assert found.dtype == np.float32
        assert np.array_equal(found, expected, equal_nan=True)
        assert np.array_equal(np.signbit(found[found == 0]), np.signbit(expected[expected == 0]))


@pytest.mark.parametrize(
    "text",
    [
        b"1,2,3\n4,5\n",
        b"1,2,3\n4,5,6,7\n",
        b"1,2\n3,4,5,6\n",
        b"1,2,3,4\n5,6\n",
        b"1,2,3\n\n4,5,6\n",
        b"1\n2\n3\n",
        b"\n",
    ],
)
def test_lines_of_wrong_length_are_refused(text: bytes) -> None:
    assert by_cells(text, 3) is None


def test_text_is_read_in_blocks_that_are_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"".join(b"%d,,%d.5\n" % (number, number % 7) for number in range(3000))
    whole = cells.numbers(text, 3)
    monkeypatch.setattr(parallel, "SMALLEST_BYTES", 1)
    monkeypatch.setattr(cells, "BLOCK_BYTES", 64)
    assert np.array_equal(cells.numbers(memoryview(text), 3), whole, equal_nan=True)
    assert np.array_equal(whole[:, 0], np.arange(3000))


def test_memory_is_bounded_where_most_cells_are_empty() -> None:
    text = b",,1\n" * 1_000_000
    tracemalloc.start()
    try:
        assert cells.numbers(text, 3).shape == (1_000_000, 3)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 60_000_000  # all at once it is 110 MB
