from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.serving.formats.json_rows import parse_document, parse_lines
from model.serving.formats.schema import Schema
from model.serving.refusal import RefusalError

NAN = float("nan")
THREE = Schema(features=3)
Parse = Callable[[bytes, Schema], NDArray[np.float32]]


def refusal(parse: Parse, body: bytes) -> RefusalError:
    with pytest.raises(RefusalError) as raised:
        parse(body, THREE)
    return raised.value


@pytest.mark.parametrize(
    "body",
    [
        b'{"instances": [[1, 2, null], [4, 5, 6]]}',
        b"[[1, 2, NaN], [4.0, 5e0, 6]]",
        b' [[1,2,null],\r\n[4,5,{"a":1}]]'.replace(b'{"a":1}', b"6"),
        b'{"instances": [{"features": [1, 2, null]}, [4, 5, 6]]}',
        "[[1, 2, null], [4, 5, 6]]".encode("utf-16"),
    ],
)
def test_ways_to_write_a_document(body: bytes) -> None:
    assert np.array_equal(parse_document(body, THREE), np.array([[1, 2, NAN], [4, 5, 6]], np.float32), equal_nan=True)


@pytest.mark.parametrize(
    "body", [b"[1,2,3]\n[4,5,6]\n", b"[1,2,3]\r\n[4,5,6]", b'{"features":[1,2,3]}\n {"features": [4,5,6]}\n']
)
def test_ways_to_write_lines(body: bytes) -> None:
    assert parse_lines(body, THREE).tolist() == [[1, 2, 3], [4, 5, 6]]


CELLS = [b'"1"', b"true", b"[]", b"{}", b'"secret"']


@pytest.mark.parametrize(
    ("rows", "code", "row", "column"),
    [
        *(([b"[1,2,3]", b"[1," + cell + b",3]"], "NOT_A_NUMBER", 2, 2) for cell in CELLS),
        ([b"[1,2,3]", b"[1,2]"], "WRONG_COLUMN_COUNT", 2, None),
        ([b"[1,2,3]", b"[1,2,3,4]"], "WRONG_COLUMN_COUNT", 2, None),
        ([b"[]"], "WRONG_COLUMN_COUNT", 1, None),
        ([b"[1,2,3]", b"4"], "NOT_A_ROW", 2, None),
        ([b"[1,2,3]", b"null"], "NOT_A_ROW", 2, None),
        ([b'{"features": [1,2,3], "secret": 1}'], "NOT_A_ROW", 1, None),
        ([b"[1,2,3]", b"[1,2,Infinity]"], "NOT_FINITE", 2, 3),
        ([b"[1,2,3]", b"[1e39,2,3]"], "NOT_FINITE", 2, 1),
        ([b"[1,2,3]", b"[1," + b"9" * 400 + b",3]"], "NOT_FINITE", 2, 2),
    ],
)
def test_refusal_names_the_place(rows: list[bytes], code: str, row: int, column: int | None) -> None:
    """Return the same rows as a document and as lines."""
    document, lines = b"[" + b",".join(rows) + b"]", b"\n".join(rows)
    for found in (refusal(parse_document, document), refusal(parse_lines, lines)):
        assert (found.status, found.code, found.row, found.column) == (400, code, row, column)
        assert "secret" not in found.message


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "BAD_JSON"),
        (b"[[1,2,3]", "BAD_JSON"),
        (b"[[1,2,3]] x", "BAD_JSON"),
        (b"[[1,2,0x3]]", "BAD_JSON"),
        (b"[[1,2,03]]", "BAD_JSON"),
        (b"[[1,2,.3]]", "BAD_JSON"),
        (b"[[1,,3]]", "BAD_JSON"),
        (b'"secret"', "BAD_JSON"),
        (b'{"secret": [[1,2,3]]}', "BAD_JSON"),
        (b'{"instances": [[1,2,3]], "secret": 1}', "BAD_JSON"),
        (b'{"instances": {"secret": 1}}', "BAD_JSON"),
        (b"\xff\xfe\xfa", "BAD_JSON"),
        (b"[" * 100_000, "BAD_JSON"),
        (b"[]", "EMPTY_BODY"),
        (b'{"instances": []}', "EMPTY_BODY"),
    ],
)
def test_document_that_is_none(body: bytes, code: str) -> None:
    found = refusal(parse_document, body)
    assert (found.status, found.code) == (400, code)
    assert "secret" not in found.message


@pytest.mark.parametrize(
    ("body", "row"),
    [
        (b"[1,2,3]\n\n[1,2,3]\n", 2),
        (b"[1,2,3]\n[1,2\n,3]\n", 2),
        (b"[1,2,3],[1,2,3]\n", 1),
        (b"[1,2,3]\n[1,2,3] secret\n", 2),
        (b"[1,2,3]\n" + b"[" * 100_000, 2),
        (b"[1,2,3]\n\xff", 2),
    ],
)
def test_line_that_is_not_one_row(body: bytes, row: int) -> None:
    found = refusal(parse_lines, body)
    assert (found.code, found.row) == ("BAD_JSON", row)
    assert "secret" not in found.message


def test_no_lines() -> None:
    assert refusal(parse_lines, b"").code == "EMPTY_BODY"


DOUBLES = (
    st.none() | st.floats(allow_infinity=False, min_value=-3.3e38, max_value=3.3e38) | st.integers(-(2**80), 2**80)
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(DOUBLES, DOUBLES, DOUBLES), min_size=1, max_size=10))
def test_numbers_are_python_doubles_rounded_to_float32(rows: list[tuple[Any, ...]]) -> None:
    doubles = np.array([[NAN if cell is None else float(cell) for cell in row] for row in rows])
    for parse, body in (
        (parse_document, json.dumps(rows)),
        (parse_lines, "\n".join(json.dumps(row) for row in rows)),
    ):
        assert parse(body.encode(), THREE).tobytes() == doubles.astype(np.float32).tobytes()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["features", "instances"]), inner),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(JSON.map(json.dumps).map(str.encode) | st.binary(max_size=20))
def test_any_body_is_rows_or_a_refusal(body: bytes) -> None:
    for parse in (parse_document, parse_lines):
        with suppress(RefusalError):
            assert parse(body, THREE).shape[1] == 3
