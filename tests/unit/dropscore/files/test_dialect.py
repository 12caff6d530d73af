"""Where quotes may stand, and which row, column and line a stray one is in; held against RFC 4180's grammar and csv."""

from __future__ import annotations

import csv
import io
from itertools import chain

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dropscore.errors import StrayQuoteError
from dropscore.files.cells import content_of, split_cells
from dropscore.files.dialect import RFC_4180, Dialect
from dropscore.files.requests import count_empty_rows, count_rows, cut, split_rows
from dropscore.files.rows import line_of
from tests.unit.dropscore.files.rfc4180 import is_sound, parsed, texts

ESCAPED = Dialect(has_escapes=True)
BARE = Dialect(has_quotes=False)
SKIPPING = Dialect(skips_empty_rows=True)
delimiters = st.sampled_from([",", ";", "|", "\t", " "])
PIPES = b'1,17,5" pipe,1.2\n'


@given(texts('1,;|\t"\n\r '), delimiters)
@example(b'"a"\r', ",")
@example(b'1\r"a"', ",")
@example(b'"a"\r1', ",")
@example(b'"",""""\n', ",")
@example(b'"a""', ",")
def test_text_is_sound_as_the_grammar_says(data: bytes, delimiter: str) -> None:
    dialect = Dialect(delimiter=delimiter.encode())
    expected = is_sound(data, delimiter)
    assert dialect.is_sound(dialect.outline(data)) is expected
    assert (dialect.fault(data, is_whole=True) is None) is expected


@given(texts('1,"\\\n\r', 14))
@example(b'"\\\\",1\n')
@example(b'"\\\\\\",1\n')
@example(b"1\\,2\n")
def test_escapes_are_sound_as_the_grammar_says(data: bytes) -> None:
    expected = is_sound(data, has_escapes=True)
    assert ESCAPED.is_sound(ESCAPED.outline(data)) is expected
    assert (ESCAPED.fault(data, is_whole=True) is None) is expected


@given(texts('1,;"\n\r '), st.sampled_from([",", ";", " "]))
def test_sound_text_has_the_cells_of_csv(data: bytes, delimiter: str) -> None:
    dialect = Dialect(delimiter=delimiter.encode())
    if is_sound(data, delimiter) and b"\r" not in data.replace(b"\r\n", b""):
        rows = [split_cells(line_of(row), dialect) for row in split_rows(data, dialect)]
        assert [[content_of(cell, dialect).decode() for cell in row] for row in rows] == parsed(data, delimiter)
        assert count_rows(data, dialect) == len(rows)


@given(texts('1,"\\\n', 20).map(lambda data: data + b"\n"))
def test_escaped_text_has_the_cells_of_csv(data: bytes) -> None:
    if is_sound(data, has_escapes=True):
        rows = [split_cells(line_of(row), ESCAPED) for row in split_rows(data, ESCAPED)]
        read = csv.reader(io.StringIO(data.decode(), newline=""), escapechar="\\", strict=True)
        expected = [row for row in read if row]
        found = [[content_of(cell, ESCAPED).decode() for cell in row] for row in rows]
        assert [[_bare(cell) for cell in row] for row in found] == [[_bare(cell) for cell in row] for row in expected]
        assert count_rows(data, ESCAPED) == len(expected)


def _bare(cell: str) -> str:
    """csv takes every backslash for an escape; here only quotes and backslashes inside quotes are escaped."""
    return cell.replace("\\", "")


@given(texts('1,"\n'))
def test_without_quotes_text_has_the_lines_of_csv(data: bytes) -> None:
    rows = [split_cells(line_of(row), BARE) for row in split_rows(data, BARE)]
    read = csv.reader(io.StringIO(data.decode(), newline=""), quoting=csv.QUOTE_NONE)
    assert [[cell.decode() for cell in row] for row in rows] == [row for row in read if row]
    assert count_rows(data, BARE) == len(rows)
    assert b"".join(request.data for request in cut([data], 1 << 20, BARE)) == data


@given(texts('1,"\n'), st.integers(1, 9), st.integers(12, 60))
@example(PIPES * 3, 5, 40)
@example(b'1,"2\n3\n', 3, 40)
def test_first_stray_quote_ends_the_reading_wherever_bodies_end(data: bytes, chunk: int, limit: int) -> None:
    rows, found = 0, None
    try:
        for request in cut((data[at : at + chunk] for at in range(0, len(data), chunk)), limit * 10):
            assert is_sound(request.data)
            rows += request.rows
    except StrayQuoteError as error:
        found = error
    if is_sound(data):
        assert found is None
        return
    sound = max(end for end in chain((0,), _line_ends(data)) if is_sound(data[:end]))
    assert found is not None
    assert found.rows == (len(parsed(data[:sound])) + 1,) * 2
    assert rows == len(parsed(data[:sound]))
    assert found.line == data.count(b"\n", 0, found.offset) + 1
    assert data[found.offset or 0 :][:1] == b'"'


def _line_ends(data: bytes) -> list[int]:
    return [at + 1 for at, byte in enumerate(data) if byte == 10]


@pytest.mark.parametrize(
    ("data", "row", "column", "line", "offset", "what"),
    [
        (b"1,x,1\n" + PIPES, 2, 3, 2, 12, "a double quote stands in the middle of a cell"),
        (b'1,"a\nb"\n\n2,"c"d\n', 2, 2, 4, 13, "something follows the quote that closes a cell"),
        (b'1,"a\\"b",2\n', 1, 2, 1, 5, "something follows the quote that closes a cell"),
        (b'1, "2"\n', 1, 2, 1, 3, "a blank stands before the double quote that opens a cell"),
        (b'1,2\n3,"4\n5,6\n', 2, 2, 2, 6, "a double quote opens a cell and is never closed"),
    ],
)
def test_stray_quote_is_named_where_it_stands(
    data: bytes, row: int, column: int, line: int, offset: int, what: str
) -> None:
    with pytest.raises(StrayQuoteError) as caught:
        list(cut([data], 1000))
    error = caught.value
    assert (error.rows, error.column, error.line, error.offset) == ((row, row), column, line, offset)
    assert error.message.startswith(f"row {row} (line {line}, at byte {offset}): column {column}: {what}. ")
    assert 'quote = "none"' in error.message
    assert 'escape = "\\\\"' in error.message


def test_backslash_before_delimiter_is_refused_when_it_escapes() -> None:
    with pytest.raises(StrayQuoteError, match="a backslash stands outside quotes before a delimiter"):
        list(cut([b"1,a\\,b\n"], 1000, ESCAPED))
    assert [request.rows for request in cut([b"1,a\\,b\n"], 1000)] == [1]


def test_stray_quote_is_found_before_a_row_is_too_large() -> None:
    with pytest.raises(StrayQuoteError, match=r"^STRAY_QUOTE: row 3 \(line 3, at byte 11\): column 2"):
        list(cut([b"1,2\n", b'3,4\n5,6" pipe\n', b"7,8\n" * 100], 40))


rows = st.lists(
    st.sampled_from([b"1,2\n", b"\n", b",\r\n", b',""\n', b'"a\n,,\n\n",3\r\n', b'"",\n', b'"",1\n']), max_size=20
)


@given(rows.map(b"".join), st.integers(1, 9), st.integers(30, 80))
def test_empty_rows_are_blank_lines_when_they_are_skipped(data: bytes, chunk: int, limit: int) -> None:
    kept = [row for row in parsed(data) if any(row)]
    requests = list(cut((data[at : at + chunk] for at in range(0, len(data), chunk)), limit, SKIPPING))
    assert b"".join(request.data for request in requests) == data
    assert sum(request.rows for request in requests) == len(kept) == count_rows(data, SKIPPING)
    found = [row for request in requests for row in split_rows(request.data, SKIPPING)]
    assert [parsed(row)[0] for row in found] == kept
    for dialect in (RFC_4180, SKIPPING):
        assert count_empty_rows(data, dialect) == len(parsed(data)) - len(kept)
    for request in requests:
        if request.rows:
            assert data[request.first_row_offset :].startswith(split_rows(request.data, SKIPPING)[0])
            assert request.first_row_line == data.count(b"\n", 0, request.first_row_offset) + 1
