from __future__ import annotations

import re

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from serving.body import parse
from serving.refusal import RefusalError

NAN = float("nan")


def numbers(body: bytes, features: int = 3) -> list[list[float]]:
    found = parse(body, features)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    listed: list[list[float]] = found.tolist()
    return listed


@pytest.mark.parametrize(
    "body",
    [
        b"1,2,3\n4,5,6\n",
        b"1,2,3\n4,5,6",
        b"1,2,3\r\n4,5,6\r\n",
        b"1,2,3\r\n4,5,6",
        b"\xef\xbb\xbf1,2,3\n4,5,6\n",
        b'"1","2","3"\n"4","5","6"\n',
        b'1,"2",3\r\n4,5,"6"\r\n',
        b"+1,2.,3e0\n4.0E+0,0.5e1,06\n",
        b" 1,2 , 3\n4,\t5,6\n",
    ],
)
def test_ways_to_write_the_same_rows(body: bytes) -> None:
    assert numbers(body) == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize("cell", [b"", b'""', b"nan", b"NaN", b"NAN", b"-nan"])
def test_missing_cell(cell: bytes) -> None:
    assert np.array_equal(parse(b"1," + cell + b",3\n", 3), np.array([[1, NAN, 3]], np.float32), equal_nan=True)
    assert np.isnan(parse(b"\n".join([cell + b",,"] * 2), 3)).all()


REFUSALS = [
    (b"", "EMPTY_BODY", None, None),
    (b"\xef\xbb\xbf", "EMPTY_BODY", None, None),
    (b"\n", "WRONG_COLUMN_COUNT", 1, None),
    (b"1,2\n", "WRONG_COLUMN_COUNT", 1, None),
    (b"1,2,3\n4,5,6,7\n", "WRONG_COLUMN_COUNT", 2, None),
    (b"1,2,3\n4;5;6\n", "WRONG_COLUMN_COUNT", 2, None),
    (b"1,2,3\n\n4,5,6\n", "WRONG_COLUMN_COUNT", 2, None),
    (b"\n1,2,3\n", "WRONG_COLUMN_COUNT", 1, None),
    (b"1,2,3\n\n", "WRONG_COLUMN_COUNT", 2, None),
    (b"1,2,3\r\n\r\n4,5,6\r\n", "WRONG_COLUMN_COUNT", 2, None),
    (b"1,2,3\n   \n", "WRONG_COLUMN_COUNT", 2, None),
    (b"1,2,x\n", "NOT_A_NUMBER", 1, 3),
    (b"V1,V2,V3\n1,2,3\n", "NOT_A_NUMBER", 1, 1),
    (b"1,2,3\n4,x,6\n7,8\n", "NOT_A_NUMBER", 2, 2),
    (b"1,2,3\n4,5\n7,x,9\n", "WRONG_COLUMN_COUNT", 2, None),
    *((b"1,2,3\n4," + cell + b",6\n", "NOT_A_NUMBER", 2, 2) for cell in [
        b"0x1F", b"1_000", b"1,000"[:0] + b"TRUE", b"1e", b"-", b".", b"e5", b"1d", b"1f", b"NA", b"null", b"None",
        b" ", b"1 2", b"1\x00", b"\xff", "１".encode(), "\u00a01".encode(), b"--1", b"1.2.3", b"'1'", b"$1", b"1%",
    ]),
    (b"1,2,3\n4,nan(7),6\n", "NOT_A_NUMBER", 2, None),
    *((b"1,2,3\n4," + cell + b",6\n", "NOT_A_NUMBER", 2, None) for cell in [
        b'"5', b'5"', b'"5"5', b'"5""5"', b'"5" ', b' "5"', b'"5\n6"', b'"5,5"', b"\"'\"\"",
    ]),
    (b"1,2,3\n4,inf,6\n", "NOT_FINITE", 2, 2),
    (b"1,2,3\n4,5,-Infinity\n", "NOT_FINITE", 2, 3),
    (b"1,2,3\n1e39,5,6\n", "NOT_FINITE", 2, 1),
    (b"1,2,3\n-1e400,5,6\n", "NOT_FINITE", 2, 1),
    (b"1,2,3\r4,5,6\r", "BAD_LINE_END", 1, None),
    (b"1,2,3\n4,5,6\r7,8,9\n", "BAD_LINE_END", 2, None),
]  # fmt: skip


@pytest.mark.parametrize(("body", "code", "row", "column"), REFUSALS)
def test_refusal_names_the_place(body: bytes, code: str, row: int | None, column: int | None) -> None:
    with pytest.raises(RefusalError) as raised:
        parse(body, 3)
    refusal = raised.value
    assert (refusal.status, refusal.code, refusal.row, refusal.column) == (400, code, row, column)


def test_row_is_found_among_many() -> None:
    lines = [b"1,2,3"] * 5000
    for bad in (0, 1, 2499, 4998, 4999):
        with pytest.raises(RefusalError) as raised:
            parse(b"\n".join([*lines[:bad], b"1,2,oops", *lines[bad + 1 :]]), 3)
        assert (raised.value.row, raised.value.column) == (bad + 1, 3)


def test_blank_line_of_a_model_with_one_feature_is_a_missing_value() -> None:
    assert np.array_equal(parse(b"1\n\n3\n", 1), np.array([[1], [NAN], [3]], np.float32), equal_nan=True)
    assert np.isnan(parse(b"\n", 1)).all()
    assert parse(b"\r\n\r\n", 1).shape == (2, 1)


FLOATS = st.floats(allow_nan=False, allow_infinity=False, min_value=-3e38, max_value=3e38)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(FLOATS, FLOATS, FLOATS), min_size=1, max_size=20), st.sampled_from(["%r", "%.17g", "%.3e", "%f"])
)
def test_numbers_are_those_of_dmatrix(table: list[tuple[float, ...]], style: str) -> None:
    texts = [[style % cell for cell in row] for row in table]
    found = parse("\n".join(",".join(row) for row in texts).encode(), 3)
    doubles = np.array([[float(cell) for cell in row] for row in texts])
    assert found.tobytes() == doubles.astype(np.float32).tobytes()
    stored = xgboost.DMatrix(doubles, nthread=1).get_data().toarray()
    assert np.array_equal(found, stored)


MESSAGE = re.compile(
    r"the body is empty; send at least one row|row \d+ has \d+ columns?, the model needs \d+|"
    r"row \d+(, column \d+)? (is not a number|is infinite, or too large for a 32-bit float|"
    r"holds (a carriage return that does not end the line|something that is not a number|"
    r"a quote that does not enclose one whole cell))"
)
WORDS = ["1", "", "nan", '"', "\r", "\n", "inf", "secret"]
CELLS = st.text(st.characters(codec="utf-8"), max_size=6) | st.sampled_from(WORDS)


def check(body: bytes, features: int) -> None:
    """Rows, one a line; or a refusal that says nothing of what the body holds."""
    found = outcome(body, features)
    if isinstance(found, RefusalError):
        assert MESSAGE.fullmatch(found.message)
        assert found.row is None or 1 <= found.row <= body.count(b"\n") + 1
        assert found.column is None or 1 <= found.column <= features
    else:
        assert found.shape == (body.count(b"\n") + (not body.endswith(b"\n")), features)


def outcome(body: bytes, features: int) -> NDArray[np.float32] | RefusalError:
    try:
        return parse(body, features)
    except RefusalError as refusal:
        return refusal


@settings(max_examples=600, deadline=None)
@given(st.lists(st.lists(CELLS, max_size=4).map(",".join), max_size=4).map("\n".join), st.integers(1, 3))
def test_any_text_is_rows_or_a_refusal_without_its_content(text: str, features: int) -> None:
    check(text.encode(), features)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=30))
def test_any_bytes_are_rows_or_a_refusal(body: bytes) -> None:
    check(body, 1)
