from __future__ import annotations

import re

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.serving import parallel
from model.serving.formats import cells, csv_rows
from model.serving.formats.schema import Schema
from model.serving.refusal import RefusalError

NAN = float("nan")


def parse(body: bytes, features: int, *, names: tuple[str, ...] = (), has_header: bool = False) -> NDArray[np.float32]:
    return csv_rows.parse(body, Schema(features=features, names=names), has_header=has_header)


def numbers(body: bytes, features: int = 3) -> list[list[float]]:
    found = parse(body, features)
    assert found.dtype == np.float32
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
    (b"V1,V2,V3\n1,2,3\n", "UNEXPECTED_HEADER", 1, None),
    (b'"V1","V2","V3"\n1,2,3\n', "UNEXPECTED_HEADER", 1, None),
    (b"V1,V2\n1,2,3\n", "WRONG_COLUMN_COUNT", 1, None),
    (b"1,V2,V3\n1,2,3\n", "NOT_A_NUMBER", 1, 2),
    (b"1,2,3\nV1,V2,V3\n", "NOT_A_NUMBER", 2, 1),
    (b"1,2,3\n4,x,6\n7,8\n", "NOT_A_NUMBER", 2, 2),
    (b"1,2,3\n4,5\n7,x,9\n", "WRONG_COLUMN_COUNT", 2, None),
    *((b"1,2,3\n4," + cell + b",6\n", "NOT_A_NUMBER", 2, 2) for cell in [
        b"0x1F", b"1_000", b"1,000"[:0] + b"TRUE", b"1e", b"-", b".", b"e5", b"1d", b"1f", b"NA", b"null", b"None",
        b" ", b"1 2", b"1\x00", b"\xff", "１".encode(), "\u00a01".encode(), b"--1", b"1.2.3", b"'1'", b"$1", b"1%",
    ]),
    (b"1,2,3\n4,nan(7),6\n", "NOT_A_NUMBER", 2, 2),
    *((b"1,2,3\n4," + cell + b",6\n", "NOT_A_NUMBER", 2, 2) for cell in [
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


DOUBLES = st.floats(allow_nan=False, allow_infinity=False, min_value=-3.3e38, max_value=3.3e38)
SUBNORMALS = st.floats(min_value=-2e-38, max_value=2e-38, allow_subnormal=True)
# Halfway between two float32: rounding the text straight to 32 bits would differ from rounding twice.
HALVES = st.integers(0x00000001, 0x7F000000).map(
    lambda bits: float(np.array([bits, bits + 1], np.uint32).view(np.float32).astype(np.float64).mean())
)
STYLES = ["%r", "%.17g", "%.3e", "%f", "%.25g", "%E", "%+.9g"]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(*[DOUBLES | SUBNORMALS | HALVES] * 3), min_size=1, max_size=20), st.sampled_from(STYLES))
def test_numbers_are_those_of_dmatrix(table: list[tuple[float, ...]], style: str) -> None:
    texts = [[style % cell for cell in row] for row in table]
    found = parse("\n".join(",".join(row) for row in texts).encode(), 3)
    doubles = np.array([[float(cell) for cell in row] for row in texts])
    assert found.tobytes() == doubles.astype(np.float32).tobytes()
    stored = xgboost.DMatrix(doubles, nthread=1).get_data().toarray()
    assert np.array_equal(found, stored)


@settings(max_examples=600, deadline=None)
@given(st.text("0123456789+-.eE \t_xnaif", max_size=12) | st.text("0123456789+-.eE", max_size=12))
def test_accepted_cell_is_what_python_reads(cell: str) -> None:
    found = outcome(f"0,{cell}\n".encode(), 2)
    if isinstance(found, RefusalError):
        assert found.code in {"NOT_A_NUMBER", "NOT_FINITE"}
    else:
        with np.errstate(over="ignore"):
            expected = np.float32(float(cell or "nan"))
        assert np.array_equal(found[0, 1], expected, equal_nan=True)
        assert np.signbit(found[0, 1]) == np.signbit(expected) or np.isnan(expected)


@pytest.mark.parametrize("cores", [2, 3, 7])
@pytest.mark.parametrize("bad", [0, 6_000, 39_999, None])
def test_split_over_cores_gives_the_same_rows(cores: int, bad: int | None) -> None:
    lines = [b"%d,%d.5,-1e-3" % (number, number) for number in range(40_000)]
    if bad is not None:
        lines[bad] = b"1,x,3"
    body = b"\n".join(lines)
    assert len(parallel.lines(body, cores)) > 1

    def result(cores: int) -> bytes | RefusalError:
        found = outcome(body, 3, cores)
        return found if isinstance(found, RefusalError) else found.tobytes()

    assert result(cores) == result(1)
    assert isinstance(result(cores), RefusalError) == (bad is not None)


@pytest.mark.parametrize("text", [b"", b"1", b"\n" * 40, b"1" * 40, b"1,2\n" * 20, b"1\n" + b"2" * 40])
@pytest.mark.parametrize("cores", [1, 2, 5, 100])
def test_pieces_are_the_whole(text: bytes, cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "SMALLEST_BYTES", 1)
    found = parallel.lines(text, cores)
    assert b"".join(found) == text
    assert 1 <= len(found) <= cores
    assert all(bytes(chunk).endswith(b"\n") for chunk in found[:-1])


def test_line_longer_than_a_block_is_read() -> None:
    features = 30_000
    long = ",".join(["1.00000000000000000"] * features)
    short = ",".join(["1"] * features)
    assert len(long) > cells.BLOCK_BYTES
    assert (parse(f"{short}\n{long}\n{short}\n".encode(), features) == np.ones((3, features))).all()


def test_announced_header_is_not_a_row() -> None:
    for header in (b"a,b,c\n", b"a,b,c\r\n", b'"a (1)","b,2",c\n', b"0,1,2\n", b"\xef\xbb\xbfa,b,c\n"):
        assert parse(header + b"1,2,3\n", 3, has_header=True).tolist() == [[1, 2, 3]]


def test_header_with_the_models_names_puts_columns_in_its_order() -> None:
    names = ("a", "b", "c")
    assert parse(b"c,a,b\n3,1,2\n", 3, names=names, has_header=True).tolist() == [[1, 2, 3]]
    assert parse(b"x,y,z\n1,2,3\n", 3, names=names, has_header=True).tolist() == [[1, 2, 3]]
    with pytest.raises(RefusalError, match="name all columns") as raised:
        parse(b"c,a,secret\n3,1,2\n", 3, names=names, has_header=True)
    assert raised.value.code == "WRONG_COLUMN_NAMES"


def test_refusal_after_a_header_counts_rows_and_own_columns() -> None:
    for cell, code in ((b"x", "NOT_A_NUMBER"), (b"inf", "NOT_FINITE")):
        with pytest.raises(RefusalError) as raised:
            parse(b"c,a,b\n1,2,3\n1,2," + cell + b"\n", 3, names=("a", "b", "c"), has_header=True)
        assert (raised.value.code, raised.value.row, raised.value.column) == (code, 2, 3)


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (b"a,b\n1,2,3\n", "BAD_HEADER", "has 2 names, but the model has 3 features"),
        (b"1,2,3\n4,5,6\n", "BAD_HEADER", "the first line holds numbers; if it is a row, send header=absent"),
        (b"1,,3\n4,5,6\n", "BAD_HEADER", "the first line holds numbers; if it is a row, send header=absent"),
        (b"\xff,b,c\n1,2,3\n", "BAD_HEADER", "not UTF-8 or not CSV"),
        (b'"a,b,c\n1,2,3\n', "BAD_HEADER", "not UTF-8 or not CSV"),
        (b"a,b,c\n", "EMPTY_BODY", "is empty"),
        (b"a,b,c", "EMPTY_BODY", "is empty"),
        (b"", "BAD_HEADER", "has 0 names"),
    ],
)
def test_header_that_is_none_is_refused(body: bytes, code: str, message: str) -> None:
    with pytest.raises(RefusalError, match=message) as raised:
        parse(body, 3, has_header=True)
    assert raised.value.code == code


MESSAGE = re.compile(
    r"the request is empty; send at least one row|row \d+ has \d+ columns?, but the model has \d+ features|"
    r"row 1 looks like a header; if it is, send the content type `text/csv; header=present`|"
    r"row \d+(, column \d+)? (is not a number|is infinite, or too large for a 32-bit float|"
    r"has (a carriage return that does not end the line|"
    r"a quote that does not enclose one whole cell))"
)
WORDS = ["1", "", "nan", '"', "\r", "\n", "inf", "secret"]
CELLS = st.text(st.characters(codec="utf-8"), max_size=6) | st.sampled_from(WORDS)


def check(body: bytes, features: int) -> None:
    """Expect one row per line, or a refusal without content of the request."""
    found = outcome(body, features)
    if isinstance(found, RefusalError):
        assert MESSAGE.fullmatch(found.message)
        assert found.row is None or 1 <= found.row <= body.count(b"\n") + 1
        assert found.column is None or 1 <= found.column <= features
    else:
        assert found.shape == (body.count(b"\n") + (not body.endswith(b"\n")), features)


def outcome(body: bytes, features: int, cores: int = 1) -> NDArray[np.float32] | RefusalError:
    try:
        return csv_rows.parse(body, Schema(features=features), cores=cores)
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
