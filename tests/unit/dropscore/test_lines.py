from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropscore.errors import RejectedError
from dropscore.lines import count_rows, cut

plain = st.lists(st.text("0123456789.,-", max_size=20), max_size=40).map(lambda rows: "\n".join(rows).encode())
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
    bodies = list(cut(_chunks(data, chunk), limit))
    assert b"".join(body.data for body in bodies) == data
    assert all(0 < len(body.data) <= limit for body in bodies)
    assert all(body.data.endswith(b"\n") for body in bodies[:-1])


@given(plain, st.integers(1, 64))
def test_rows_and_offsets_follow_one_another(data: bytes, chunk: int) -> None:
    row, offset = 1, 0
    for body in cut(_chunks(data, chunk), 30):
        assert (body.first_row, body.offset) == (row, offset)
        row, offset = body.last_row + 1, offset + len(body.data)
    assert row - 1 == count_rows(data) == len(data.splitlines())


@given(cells, ends, st.integers(1, 64))
def test_quoted_rows_are_never_split(rows: list[list[str]], end: str, chunk: int) -> None:
    data = (_written(rows).removesuffix("\n") + end).encode() if rows else b""
    bodies = list(cut(_chunks(data, chunk), 120))
    parsed = [list(csv.reader(io.StringIO(body.data.decode(), newline=""))) for body in bodies]
    assert [row for part in parsed for row in part] == rows
    assert [body.rows for body in bodies] == [len(part) for part in parsed]


def test_bodies_are_as_long_as_they_can_be() -> None:
    assert [body.data for body in cut([b"1\n22\n333\n4444\n"], 5)] == [b"1\n22\n", b"333\n", b"4444\n"]


def test_a_row_may_be_exactly_as_long_as_the_limit() -> None:
    assert [body.rows for body in cut([b"1234\n1234\n"], 5)] == [1, 1]


def test_a_row_over_the_limit_is_rejected_by_its_number() -> None:
    with pytest.raises(RejectedError, match=r"ROW_TOO_LARGE: row 3 \(at byte 4\) is longer than the 5 bytes") as caught:
        list(cut([b"1\n2\n", b"secret-cell\n"], 5))
    assert "secret" not in str(caught.value)


def test_a_quote_that_is_never_closed_is_a_row_too_long() -> None:
    with pytest.raises(RejectedError, match="row 2"):
        list(cut([b'1\n"2\n' + b"3\n" * 100], 20))


def test_no_bytes_give_no_bodies() -> None:
    assert list(cut([], 10)) == []
    assert list(cut([b""], 10)) == []
