"""Line-aligned bodies out of a byte stream. A row ends at a newline outside double quotes; no row is ever split.

A line of nothing (or of a carriage return) is no row: it is carried along with the row after it, and never counted.
Work is done on whole blocks by bytes methods (find, count, split): the cost is a few scans of memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from dropscore.errors import RowTooLargeError

# A line: newlines between quotes belong to it, and a quote that is never closed goes to the end.
_LINE = re.compile(rb'(?:[^"\n]++|"[^"]*+(?:"|\Z))*+\n?')
_BLANK_LINES = re.compile(rb"(?:\r?\n)*")
_BLANK = (b"\n", b"\r\n", b"\r")


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

    @property
    def first_row_offset(self) -> int:
        """Where the first row itself stands in the file, past the blank lines before it."""
        blank = _BLANK_LINES.match(self.data)
        return self.offset + (blank.end() if blank else 0)


class Limit:
    """How many bytes a body may have; falls when an endpoint turns out to take less. A single row may have `most`."""

    def __init__(self, limit_bytes: int) -> None:
        self.bytes = self.most = limit_bytes

    def refused(self, size_bytes: int) -> None:
        """A body of this size was too large: half of it is tried next."""
        self.bytes = min(self.bytes, max(1, size_bytes // 2))


def cut(chunks: Iterable[bytes], limit: Limit, *, offset: int = 0) -> Iterator[Body]:
    """Bodies of at most `limit`, as long as they can be, whose concatenation is the input.

    The input begins at byte `offset` of the file. Memory: one body and one chunk. Raises RowTooLargeError.
    """
    buffer, row = bytearray(), 1
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


def pick(bodies: Iterable[Body], offsets: Iterable[int]) -> Iterator[Body]:
    """Of all rows only those that stand at these offsets (ascending, in bytes of the file), each a body of its own.

    They are numbered from 1, as if they were the file.
    """
    wanted, row = iter(offsets), 0
    offset = next(wanted, None)
    for body in bodies:
        while offset is not None and offset < body.offset + len(body.data):
            line = _LINE.match(body.data, offset - body.offset) if offset >= body.offset else None
            if line:
                row += 1
                yield Body(line[0], row, 1, offset)
            offset = next(wanted, None)


def row_ends(data: bytes) -> Iterator[int]:
    """The position after each row; the last row may lack its newline, and has the blank lines after it."""
    end = 0
    for line in _LINE.finditer(data):
        if line[0] and line[0] not in _BLANK:
            if end:
                yield end
            end = line.end()
    if end:
        yield len(data)


def split_rows(data: bytes) -> list[bytes]:
    """The rows of data that starts at the start of a row, each with its line end; blank lines are left out."""
    if b'"' in data:
        return [line for line in _LINE.findall(data) if line and line not in _BLANK]
    lines = [line + b"\n" for line in data.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return [line for line in lines if line and line not in _BLANK]


def count_rows(data: bytes | bytearray) -> int:
    """Rows in data that starts at the start of a row; a last row without a newline counts."""
    if has_blank_lines(data):
        return len(split_rows(bytes(data)))
    outside_quotes = data.split(b'"')[::2] if b'"' in data else [data]
    return sum(part.count(b"\n") for part in outside_quotes) + (not _ends_with_row(data))


def has_blank_lines(data: bytes | bytearray) -> bool:
    """False only where there are none: newlines side by side may as well stand between quotes."""
    return (
        b"\n\n" in data or data.startswith(_BLANK) or (b"\r" in data and (b"\n\r\n" in data or data.endswith(b"\n\r")))
    )


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
        f"it is longer than the {limit_bytes} bytes that a request may hold; "
        "look for a double quote that is never closed, or raise the model's body_limit_bytes",
        rows=(row, row),
        offset=offset,
    )
