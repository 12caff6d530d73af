"""Line-aligned bodies out of a byte stream. A row ends at a newline outside double quotes; no row is ever split.

Work is done on whole blocks by bytes methods (find, count, split): the cost is a few scans of memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice

from dropscore.errors import RowTooLargeError

_QUOTE_OR_NEWLINE = re.compile(rb'["\n]')


@dataclass(frozen=True, slots=True)
class Body:
    """Whole rows: `rows` of them, the first being row `first_row` (1-based), at byte `offset` of the file."""

    data: bytes
    first_row: int
    rows: int
    offset: int

    @property
    def last_row(self) -> int:
        return self.first_row + self.rows - 1

    def halves(self) -> tuple[Body, Body]:
        """Two bodies of about as many bytes each; the body must have two rows or more."""
        middle = _end_of_last_row(self.data, len(self.data) // 2) or next(row_ends(self.data))
        first = _body(self.data, middle, self.first_row, self.offset)
        return first, Body(self.data[middle:], first.last_row + 1, self.rows - first.rows, self.offset + middle)

    def around(self, row: int) -> tuple[Body, ...]:
        """What stands before row `row` (numbered as in the file), that row alone, what stands after it; none empty."""
        start, end = list(islice(chain((0,), row_ends(self.data)), row - self.first_row, row - self.first_row + 2))
        parts = (
            Body(self.data[:start], self.first_row, row - self.first_row, self.offset),
            Body(self.data[start:end], row, 1, self.offset + start),
            Body(self.data[end:], row + 1, self.last_row - row, self.offset + end),
        )
        return tuple(part for part in parts if part.rows)


class Limit:
    """How many bytes a body may have; falls when an endpoint turns out to take less. A single row may have `most`."""

    def __init__(self, limit_bytes: int) -> None:
        self.bytes = self.most = limit_bytes

    def refused(self, size_bytes: int) -> None:
        """A body of this size was too large: half of it is tried next."""
        self.bytes = min(self.bytes, max(1, size_bytes // 2))


def cut(chunks: Iterable[bytes], limit: Limit) -> Iterator[Body]:
    """Bodies of at most `limit`, as long as they can be, whose concatenation is the input.

    Memory: one body and one chunk. Raises RowTooLargeError with the row's number.
    """
    buffer, row, offset = bytearray(), 1, 0
    for chunk in chain(filter(None, chunks), (b"",)):
        buffer += chunk
        while buffer and (len(buffer) > limit.bytes or not chunk):
            end = _end_of_body(buffer, limit, is_whole=not chunk)
            if not end and len(buffer) > limit.most:
                raise too_large(row, offset, limit.most)
            if not end:
                break  # the row goes on in the next chunk
            body = _body(buffer, end, row, offset)
            yield body
            row, offset = row + body.rows, offset + end
            del buffer[:end]


def row_ends(data: bytes) -> Iterator[int]:
    """The position after each row; the last row may lack its newline. For few calls: it looks at every row."""
    is_inside, end = False, 0
    for match in _QUOTE_OR_NEWLINE.finditer(data):
        if match[0] == b'"':
            is_inside = not is_inside
        elif not is_inside:
            end = match.end()
            yield end
    if end < len(data):
        yield len(data)


def count_rows(data: bytes | bytearray) -> int:
    """Rows in data that starts at the start of a row; a last row without a newline counts."""
    outside_quotes = data.split(b'"')[::2] if b'"' in data else [data]
    return sum(part.count(b"\n") for part in outside_quotes) + (not _ends_with_row(data))


def _ends_with_row(data: bytes | bytearray) -> bool:
    return not data or (data.endswith(b"\n") and data.count(b'"') % 2 == 0)


def _end_of_body(buffer: bytearray, limit: Limit, *, is_whole: bool) -> int:
    """Where the next body ends: as late as the limit allows, else after one row; 0 where that row has no end yet."""
    if len(buffer) <= limit.bytes:
        return len(buffer)
    end = _end_of_last_row(buffer, limit.bytes) or _end_of_first_row(buffer, limit.most)
    return end or (len(buffer) if is_whole and len(buffer) <= limit.most else 0)


def _end_of_first_row(buffer: bytearray, limit: int) -> int:
    end, quotes = 0, 0
    while newline := buffer.find(b"\n", end, limit) + 1:
        quotes += buffer.count(b'"', end, newline)
        end = newline
        if quotes % 2 == 0:
            return end
    return 0


def _end_of_last_row(buffer: bytes | bytearray, limit: int) -> int:
    """The position after the last row end within `limit` bytes; 0 where the first row is longer."""
    end = buffer.rfind(b"\n", 0, limit) + 1
    quotes = buffer.count(b'"', 0, end)
    while end and quotes % 2:
        previous = buffer.rfind(b"\n", 0, end - 1) + 1
        quotes -= buffer.count(b'"', previous, end)
        end = previous
    return end


def _body(buffer: bytes | bytearray, end: int, row: int, offset: int) -> Body:
    data = bytes(memoryview(buffer)[:end])
    return Body(data, row, count_rows(data), offset)


def too_large(row: int, offset: int, limit_bytes: int) -> RowTooLargeError:
    return RowTooLargeError(
        "ROW_TOO_LARGE",
        f"row {row} (at byte {offset}) is longer than the {limit_bytes} bytes that a request may hold; "
        "look for a double quote that is never closed, or raise the model's body_limit_bytes",
    )
