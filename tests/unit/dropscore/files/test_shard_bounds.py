"""Where shards start and end, over every size and boundary, with quotes and newlines wherever they may stand."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dropscore.files import shard_bounds as shards
from dropscore.files.shard_bounds import first_row_at, owned
from dropscore.jobs.plan import Plan

cells = st.text('ab1,"\n\r ', max_size=5)
texts = st.tuples(
    st.lists(st.lists(cells, min_size=1, max_size=3), max_size=25),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
).map(lambda said: _written(*said))


def _written(rows: list[list[str]], quoting: int, end: str, is_ended: bool) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator=end, quoting=quoting).writerows(rows)  # type: ignore[arg-type]
    text = out.getvalue()
    return (text if is_ended else text.removesuffix(end)).encode()


class File:
    """Counts what is read of it."""

    def __init__(self, data: bytes, chunk: int = 7) -> None:
        self.data, self.chunk, self.read_bytes = data, chunk, 0

    def read(self, start: int, stop: int | None = None) -> Iterator[bytes]:
        stop = len(self.data) if stop is None else min(stop, len(self.data))
        for at in range(start, stop, self.chunk):
            chunk = self.data[at : min(at + self.chunk, stop)]
            self.read_bytes += len(chunk)
            yield chunk


def _shards(file: File, shard_bytes: int, max_row_bytes: int) -> Iterable[tuple[int, bytes]]:
    plan = Plan.of(len(file.data), shard_bytes, is_one_shard=False)
    for index in range(plan.shards):
        start, stop = plan.bounds(index)
        first = first_row_at(file.read, start, len(file.data), max_row_bytes=max_row_bytes)
        rows = file.read(first) if plan.shards == 1 else owned(file.read, first, stop)
        yield first, b"".join(rows)


@given(texts, st.integers(1, 80), st.integers(1, 20), st.sampled_from([16, 64, 1000]))
@example(b'"",""\n"",""\n' * 5, 3, 5, 1000)
@example(b'","\n' * 20, 7, 5, 1000)
@example(b'5" pipe,6" pipe\n1,2\n' * 5, 9, 5, 1000)
def test_shards_partition_the_rows(data: bytes, shard_bytes: int, chunk: int, window: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(shards, "WINDOW_BYTES", window)
        found = list(_shards(File(data, chunk), shard_bytes, max_row_bytes=1000))
    assert b"".join(rows for _, rows in found) == data
    position = 0
    for first, rows in found:
        assert first == position
        position += len(rows)
    parsed = [row for _, part in found for row in csv.reader(io.StringIO(part.decode(), newline=""))]
    assert parsed == list(csv.reader(io.StringIO(data.decode(), newline="")))


def test_a_look_at_the_last_bytes_will_do_where_there_are_no_quotes() -> None:
    file = File(b"0.25,0.5\n" * 200_000, chunk=1 << 16)
    boundary = 1_500_003
    first = first_row_at(file.read, boundary, len(file.data), max_row_bytes=100_000)
    assert boundary <= first < boundary + 9
    assert file.data[first - 1 : first] == b"\n"
    assert file.read_bytes < 400_000


def test_a_look_at_the_last_bytes_will_do_where_quotes_make_sense_one_way_only() -> None:
    file = File(b'"text, with a comma","and a\nnewline",7\n' * 40_000, chunk=1 << 16)
    first = first_row_at(file.read, 1_200_000, len(file.data), max_row_bytes=5_000_000)
    assert first % 39 == 0
    assert file.read_bytes < 200_000


def test_all_quotes_before_it_are_counted_where_a_look_will_not_do() -> None:
    file = File(b'5" pipe,6" pipe\n' * 60_000, chunk=1 << 16)
    boundary = 800_000
    first = first_row_at(file.read, boundary, len(file.data), max_row_bytes=100_000)
    assert first == boundary  # which is where a row starts: 800,000 is 50,000 rows of 16 bytes
    assert boundary < file.read_bytes


def test_a_file_without_a_row_after_the_boundary_leaves_a_shard_nothing() -> None:
    file = File(b"1\n" + b"2" * 50)
    assert first_row_at(file.read, 30, 52, max_row_bytes=100) == 52
    assert list(owned(file.read, 52, 52)) == []


@pytest.mark.parametrize("boundary", range(30, 60))
def test_quotes_that_make_sense_both_ways_are_counted_from_the_files_start(boundary: int) -> None:
    file = File(b'","\n' * 20)
    first = first_row_at(file.read, boundary, len(file.data), max_row_bytes=16)
    assert first == -(-boundary // 4) * 4
