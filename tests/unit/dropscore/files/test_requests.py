from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropscore.errors import RejectedError
from dropscore.files.requests import Cutter, Request, count_rows, cut, pick, row_ends, split_rows

plain = st.lists(st.text("0123456789.,-", min_size=1, max_size=20), max_size=40).map(
    lambda rows: "\n".join(rows).encode()
)
cells = st.lists(st.lists(st.text('ab,"\n\r ', max_size=6), min_size=1, max_size=4), max_size=20)
ends = st.sampled_from(["", "\n"])


def _written(rows: list[list[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    return out.getvalue()


def _chunks(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@given(plain, st.integers(1, 64), st.integers(21, 100))
def test_bodies_joined_are_the_input_and_each_is_under_the_limit(data: bytes, chunk: int, limit: int) -> None:
    requests = list(cut(_chunks(data, chunk), limit))
    assert b"".join(request.data for request in requests) == data
    assert all(0 < len(request.data) <= limit for request in requests)
    assert all(request.data.endswith(b"\n") for request in requests[:-1])


@given(plain, st.integers(1, 64))
def test_rows_and_offsets_follow_one_another(data: bytes, chunk: int) -> None:
    row, offset = 1, 0
    for request in cut(_chunks(data, chunk), 30):
        assert (request.first_row, request.offset) == (row, offset)
        row, offset = request.last_row + 1, offset + len(request.data)
    assert row - 1 == count_rows(data) == len(data.splitlines())


@given(cells, ends, st.integers(1, 64))
def test_quoted_rows_are_never_split(rows: list[list[str]], end: str, chunk: int) -> None:
    data = (_written(rows).removesuffix("\n") + end).encode() if rows else b""
    requests = list(cut(_chunks(data, chunk), 120))
    parsed = [list(csv.reader(io.StringIO(request.data.decode(), newline=""))) for request in requests]
    assert [row for part in parsed for row in part] == rows
    assert [request.rows for request in requests] == [len(part) for part in parsed]


def test_bodies_are_as_long_as_they_can_be() -> None:
    assert [request.data for request in cut([b"1\n22\n333\n4444\n"], 5)] == [b"1\n22\n", b"333\n", b"4444\n"]


def test_a_row_may_be_exactly_as_long_as_the_limit() -> None:
    assert [request.rows for request in cut([b"1234\n1234\n"], 5)] == [1, 1]


def test_a_row_over_the_limit_is_rejected_by_its_number() -> None:
    chunks = iter([b"1\n2\n", b"secret-cell", *[b"x"] * 9])
    with pytest.raises(
        RejectedError, match=r"ROW_TOO_LARGE: row 3 \(line 3, at byte 4\): it is longer than 5 bytes"
    ) as caught:
        list(cut(chunks, 5))
    assert "secret" not in str(caught.value)
    assert len(list(chunks)) == 9  # its end is not looked for: the row may be as long as the file


def test_a_quote_that_is_never_closed_is_a_row_too_long() -> None:
    with pytest.raises(RejectedError, match="row 2"):
        list(cut([b'1\n"2\n' + b"3\n" * 100], 20))


def test_no_bytes_give_no_bodies() -> None:
    assert list(cut([], 10)) == []
    assert list(cut([b"", b"1\n", b"", b"2"], 10)) == list(cut([b"1\n2"], 10))


def _whole(rows: list[list[str]]) -> Request:
    data = _written(rows).encode()
    return Request(data, first_row=11, rows=len(rows), offset=1000)


some_rows = cells.filter(lambda rows: len(rows) > 1)


@given(some_rows)
def test_row_ends_are_where_rows_end(rows: list[list[str]]) -> None:
    data, start = _whole(rows).data, 0
    for end, row in zip(row_ends(data), rows, strict=True):
        assert list(csv.reader(io.StringIO(data[start:end].decode(), newline=""))) == [row]
        start = end
    assert start == len(data)


def test_a_limit_that_falls_meanwhile_counts_from_the_next_body_on() -> None:
    cutter = Cutter([b"1234\n" * 20], 12)
    first = cutter.next(12)
    rest = iter(lambda: cutter.next(6), None)
    assert [len(request.data) for request in (first, *rest) if request] == [10, *[5] * 18]


def test_a_row_longer_than_a_fallen_limit_goes_alone() -> None:
    cutter = Cutter([b"1\n", b"123,", b'"\n"', b"\n2\n3"], 12)
    requests = iter(lambda: cutter.next(6), None)
    assert [request.data for request in requests if request] == [b"1\n", b'123,"\n"\n', b"2\n3"]
    with pytest.raises(RejectedError, match=r"row 2 .*12 bytes"):
        list(cut([b"1\n", b"1234567890123\n"], 12))
    assert [request.data for request in cut([b"12345678"], 12)] == [b"12345678"]


lines = st.lists(st.sampled_from([b"1,2\n", b"\n", b"\r\n", b'"a\n\nb",3\r\n', b'"",\n']), max_size=30).map(b"".join)
gappy = st.builds(bytes.__add__, lines, st.sampled_from([b"", b"4", b"\r"]))


@given(gappy, st.integers(1, 20), st.integers(12, 60))
def test_blank_lines_are_no_rows_and_no_byte_is_lost(data: bytes, chunk: int, limit: int) -> None:
    requests = list(cut(_chunks(data, chunk), limit))
    rows = [row for row in csv.reader(io.StringIO(data.decode(), newline="")) if row]
    assert b"".join(request.data for request in requests) == data
    assert sum(request.rows for request in requests) == len(rows) == len(split_rows(data)) == count_rows(data)
    assert [row for request in requests for row in split_rows(request.data)] == split_rows(data)


@given(gappy, st.data(), st.integers(12, 60))
def test_rows_are_picked_by_where_they_stand(data: bytes, draw: st.DataObject, limit: int) -> None:
    requests = list(cut([data], limit))
    places, position = [], 0
    for row in split_rows(data):
        position = data.index(row, position)
        places.append((position, row))
        position += len(row)
    chosen = draw.draw(st.lists(st.sampled_from(places), unique=True).map(sorted)) if places else []
    picked = list(pick(requests, [offset for offset, _ in chosen]))
    assert [(request.offset, request.data) for request in picked] == chosen
    assert [request.first_row for request in picked] == list(range(1, len(chosen) + 1))
