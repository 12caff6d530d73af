from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from serving.refusal import RefusalError
from serving.schema import Schema
from serving.table_rows import MAX_CELLS, parse_parquet, parse_stream

NAN = float("nan")
Rows = Any


def as_parquet(table: pa.Table, **options: Any) -> bytes:
    out = io.BytesIO()
    parquet.write_table(table, out, **options)
    return out.getvalue()


def as_stream(table: pa.Table, options: pa.ipc.IpcWriteOptions | None = None) -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema, options=options) as writer:
        writer.write_table(table)
    return out.getvalue()


FORMATS = pytest.mark.parametrize(
    ("write", "parse"), [(as_parquet, parse_parquet), (as_stream, parse_stream)], ids=["parquet", "arrow"]
)
Write = Callable[..., bytes]
Parse = Callable[[bytes, Schema], Rows]


def refusal(parse: Parse, body: bytes, schema: Schema) -> RefusalError:
    with pytest.raises(RefusalError) as raised:
        parse(body, schema)
    return raised.value


@FORMATS
def test_columns_of_every_numeric_type(write: Write, parse: Parse) -> None:
    columns = {
        "double": pa.array([0.1, None], pa.float64()),
        "float": pa.array([0.1, NAN], pa.float32()),
        "half": pa.array(np.array([0.5, 1], np.float16)),
        "byte": pa.array([-1, None], pa.int8()),
        "long": pa.array([2**62 + 1, 3], pa.int64()),
        "unsigned": pa.array([2**64 - 1, 3], pa.uint64()),
        "flag": pa.array([True, False]),
        "nothing": pa.array([None, None], pa.null()),
    }
    found = parse(write(pa.table(columns)), Schema(features=8))
    first = [0.1, np.float32(0.1), 0.5, -1, float(2**62 + 1), float(2**64 - 1), 1, NAN]
    expected = np.array([first, [NAN, NAN, 1, NAN, 3, 3, 0, NAN]]).astype(np.float32)
    assert found.dtype == np.float32
    assert np.array_equal(found, expected, equal_nan=True)


@FORMATS
def test_columns_named_as_the_models_are_put_in_its_order(write: Write, parse: Parse) -> None:
    schema = Schema(features=2, names=("a", "b"))
    assert parse(write(pa.table({"b": [1.0], "a": [2.0]})), schema).tolist() == [[2, 1]]
    assert parse(write(pa.table({"x": [1.0], "y": [2.0]})), schema).tolist() == [[1, 2]]
    found = refusal(parse, write(pa.table({"b": [1.0], "secret": [2.0]})), schema)
    assert found.code == "WRONG_COLUMN_NAMES"
    assert "secret" not in found.message
    twice = pa.Table.from_arrays([pa.array([1.0])] * 2, names=["a", "a"])
    assert refusal(parse, write(twice), schema).code == "WRONG_COLUMN_NAMES"


@FORMATS
@pytest.mark.parametrize(
    ("columns", "code", "row", "column"),
    [
        ({"a": [1.0]}, "WRONG_COLUMN_COUNT", None, None),
        ({"a": [1.0], "b": [1.0], "c": [1.0]}, "WRONG_COLUMN_COUNT", None, None),
        ({"a": [1.0], "b": ["secret"]}, "NOT_A_NUMBER", None, 2),
        ({"a": [1.0], "b": [[1.0]]}, "NOT_A_NUMBER", None, 2),
        ({"a": [1.0], "b": pa.array(["1"]).dictionary_encode()}, "NOT_A_NUMBER", None, 2),
        ({"a": [1.0, 2.0], "b": [1.0, float("inf")]}, "NOT_FINITE", 2, 2),
        ({"a": [1.0, -1e39], "b": [1.0, 2.0]}, "NOT_FINITE", 2, 1),
        ({"a": pa.array([], pa.float64()), "b": pa.array([], pa.float64())}, "EMPTY_BODY", None, None),
    ],
)
def test_refusal_names_the_place(
    write: Write, parse: Parse, columns: dict[str, Any], code: str, row: int | None, column: int | None
) -> None:
    found = refusal(parse, write(pa.table(columns)), Schema(features=2))
    assert (found.status, found.code, found.row, found.column) == (400, code, row, column)
    assert "secret" not in found.message


@FORMATS
def test_table_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(write: Write, parse: Parse) -> None:
    rows = MAX_CELLS // 2 + 1
    bomb = pa.table({"a": np.zeros(rows, np.int8), "b": np.zeros(rows, np.int8)})
    found = refusal(parse, write(bomb), Schema(features=2))
    assert (found.status, found.code) == (413, "BODY_TOO_LARGE")


def test_stream_that_claims_rows_without_sending_any_is_refused() -> None:
    endless = pa.Array.from_buffers(pa.null(), 1 << 30, [None])
    found = refusal(parse_stream, as_stream(pa.table({"a": endless})), Schema(features=1))
    assert (found.status, found.code) == (413, "BODY_TOO_LARGE")


def test_parquet_whose_values_are_few_and_long_is_refused() -> None:
    texts = pa.table({"a": ["x" * (9 * MAX_CELLS)]})
    found = refusal(parse_parquet, as_parquet(texts, compression="zstd"), Schema(features=1))
    assert found.code == "NOT_A_NUMBER"


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd"])
def test_compressed_parquet(compression: str) -> None:
    table = pa.table({"a": np.arange(1000.0), "b": np.arange(1000.0)})
    body = as_parquet(table, compression=compression, row_group_size=300)
    assert parse_parquet(body, Schema(features=2)).sum() == 999_000


def damaged(body: bytes, place: int, change: int) -> bytes:
    place %= len(body)
    return body[:place] + bytes([body[place] ^ change]) + body[place + 1 :]


SMALL = pa.table({"a": [1.0, None, 3.0], "b": [1, 2, 3]})
BODIES = [
    (parse_parquet, as_parquet(SMALL)),
    (parse_stream, as_stream(SMALL)),
    (parse_stream, as_stream(SMALL, pa.ipc.IpcWriteOptions(compression="zstd"))),
]


@example(BODIES[2], 295, 130, False)  # an offset becomes negative
@settings(max_examples=500, deadline=None)
@given(st.sampled_from(BODIES), st.integers(0, 5000), st.integers(0, 255), st.booleans())
def test_damaged_table_is_rows_or_a_refusal(case: Any, place: int, change: int, is_cut: bool) -> None:
    parse, body = case
    broken = body[: place % len(body)] if is_cut else damaged(body, place, change)
    with suppress(RefusalError):
        assert parse(broken, Schema(features=2)).shape[1] == 2


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=50))
def test_any_bytes_are_a_refusal(body: bytes) -> None:
    for parse in (parse_parquet, parse_stream):
        with pytest.raises(RefusalError):
            parse(body, Schema(features=2))
