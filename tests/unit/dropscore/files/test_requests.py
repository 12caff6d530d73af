from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropscore.errors import RejectedError
from dropscore.files.requests import Body, Limit, count_rows, cut, pick, row_ends, split_rows

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
    bodies = list(cut(_chunks(data, chunk), Limit(limit)))
    assert b"".join(body.data for body in bodies) == data
    assert all(0 < len(body.data) <= limit for body in bodies)
    assert all(body.data.endswith(b"\n") for body in bodies[:-1])


@given(plain, st.integers(1, 64))
def test_rows_and_offsets_follow_one_another(data: bytes, chunk: int) -> None:
    row, offset = 1, 0
    for body in cut(_chunks(data, chunk), Limit(30)):
        assert (body.first_row, body.offset) == (row, offset)
        row, offset = body.last_row + 1, offset + len(body.data)
    assert row - 1 == count_rows(data) == len(data.splitlines())


@given(cells, ends, st.integers(1, 64))
def test_quoted_rows_are_never_split(rows: list[list[str]], end: str, chunk: int) -> None:
    data = (_written(rows).removesuffix("\n") + end).encode() if rows else b""
    bodies = list(cut(_chunks(data, chunk), Limit(120)))
    parsed = [list(csv.reader(io.StringIO(body.data.decode(), newline=""))) for body in bodies]
    assert [row for part in parsed for row in part] == rows
    assert [body.rows for body in bodies] == [len(part) for part in parsed]


def test_bodies_are_as_long_as_they_can_be() -> None:
    assert [body.data for body in cut([b"1\n22\n333\n4444\n"], Limit(5))] == [b"1\n22\n", b"333\n", b"4444\n"]


def test_a_row_may_be_exactly_as_long_as_the_limit() -> None:
    assert [body.rows for body in cut([b"1234\n1234\n"], Limit(5))] == [1, 1]


def test_a_row_over_the_limit_is_rejected_by_its_number() -> None:
    with pytest.raises(
        RejectedError, match=r"ROW_TOO_LARGE: row 3 \(line 3, at byte 4\): it is longer than the 5 bytes"
    ) as caught:
        list(cut([b"1\n2\n", b"secret-cell\n"], Limit(5)))
    assert "secret" not in str(caught.value)


def test_a_quote_that_is_never_closed_is_a_row_too_long() -> None:
    with pytest.raises(RejectedError, match="row 2"):
        list(cut([b'1\n"2\n' + b"3\n" * 100], Limit(20)))


def test_no_bytes_give_no_bodies() -> None:
    assert list(cut([], Limit(10))) == []
    assert list(cut([b"", b"1\n", b"", b"2"], Limit(10))) == list(cut([b"1\n2"], Limit(10)))


def _whole(rows: list[list[str]]) -> Body:
    data = _written(rows).encode()
    return Body(data, first_row=11, rows=len(rows), offset=1000)


some_rows = cells.filter(lambda rows: len(rows) > 1)


@given(some_rows)
def test_row_ends_are_where_rows_end(rows: list[list[str]]) -> None:
    data, start = _whole(rows).data, 0
    for end, row in zip(row_ends(data), rows, strict=True):
        assert list(csv.reader(io.StringIO(data[start:end].decode(), newline=""))) == [row]
        start = end
    assert start == len(data)


def test_a_limit_that_falls_meanwhile_counts_from_the_next_body_on() -> None:
    limit, sizes = Limit(12), []
    for body in cut([b"1234\n" * 20], limit):
        sizes.append(len(body.data))
        limit.refused(12)
    assert sizes == [10, *[5] * 18]


def test_a_row_longer_than_a_fallen_limit_goes_alone() -> None:
    limit = Limit(12)
    limit.refused(6)
    bodies = cut([b"1\n", b"123,", b'"\n"', b"\n2\n3"], limit)
    assert [body.data for body in bodies] == [b"1\n", b'123,"\n"\n', b"2\n3"]
    with pytest.raises(RejectedError, match=r"row 2 .*12 bytes"):
        list(cut([b"1\n", b"1234567890123\n"], limit))
    assert [body.data for body in cut([b"12345678"], limit)] == [b"12345678"]


lines = st.lists(st.sampled_from([b"1,2\n", b"\n", b"\r\n", b'"a\n\nb",3\r\n', b'"",\n']), max_size=30).map(b"".join)
gappy = st.builds(bytes.__add__, lines, st.sampled_from([b"", b"4", b"\r"]))


@given(gappy, st.integers(1, 20), st.integers(12, 60))
def test_blank_lines_are_no_rows_and_no_byte_is_lost(data: bytes, chunk: int, limit: int) -> None:
    bodies = list(cut(_chunks(data, chunk), Limit(limit)))
    rows = [row for row in csv.reader(io.StringIO(data.decode(), newline="")) if row]
    assert b"".join(body.data for body in bodies) == data
    assert sum(body.rows for body in bodies) == len(rows) == len(split_rows(data)) == count_rows(data)
    assert [row for body in bodies for row in split_rows(body.data)] == split_rows(data)


@given(gappy, st.data(), st.integers(12, 60))
def test_rows_are_picked_by_where_they_stand(data: bytes, draw: st.DataObject, limit: int) -> None:
    bodies = list(cut([data], Limit(limit)))
    places, position = [], 0
    for row in split_rows(data):
        position = data.index(row, position)
        places.append((position, row))
        position += len(row)
    chosen = draw.draw(st.lists(st.sampled_from(places), unique=True).map(sorted)) if places else []
    picked = list(pick(bodies, [offset for offset, _ in chosen]))
    assert [(body.offset, body.data) for body in picked] == chosen
    assert [body.first_row for body in picked] == list(range(1, len(chosen) + 1))
