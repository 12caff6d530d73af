"""Line-aligned bodies out of a byte stream. A row ends at a newline outside double quotes; no row is ever split.

Work is done on whole blocks by bytes methods (find, count, split): the cost is a few scans of memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dropscore.errors import RejectedError


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


def cut(chunks: Iterable[bytes], limit_bytes: int) -> Iterator[Body]:
    """Bodies of at most `limit_bytes`, as long as they can be, whose concatenation is the input.

    Memory: one body and one chunk. Raises RejectedError ROW_TOO_LARGE with the row's number.
    """
    buffer, row, offset = bytearray(), 1, 0
    for chunk in chunks:
        buffer += chunk
        while len(buffer) > limit_bytes:
            body = _body(buffer, _end_of_last_row(buffer, limit_bytes), row, offset)
            if not body.data:
                raise _too_large(row, offset, limit_bytes)
            yield body
            row, offset = row + body.rows, offset + len(body.data)
            del buffer[: len(body.data)]
    if buffer:
        yield _body(buffer, len(buffer), row, offset)


def count_rows(data: bytes | bytearray) -> int:
    """Rows in data that starts at the start of a row; a last row without a newline counts."""
    outside_quotes = data.split(b'"')[::2] if b'"' in data else [data]
    return sum(part.count(b"\n") for part in outside_quotes) + (not _ends_with_row(data))


def _ends_with_row(data: bytes | bytearray) -> bool:
    return not data or (data.endswith(b"\n") and data.count(b'"') % 2 == 0)


def _end_of_last_row(buffer: bytearray, limit: int) -> int:
    """The position after the last row end within `limit` bytes; 0 where the first row is longer."""
    end = buffer.rfind(b"\n", 0, limit) + 1
    quotes = buffer.count(b'"', 0, end)
    while end and quotes % 2:
        previous = buffer.rfind(b"\n", 0, end - 1) + 1
        quotes -= buffer.count(b'"', previous, end)
        end = previous
    return end


def _body(buffer: bytearray, end: int, row: int, offset: int) -> Body:
    data = bytes(memoryview(buffer)[:end])
    return Body(data, row, count_rows(data), offset)


def _too_large(row: int, offset: int, limit_bytes: int) -> RejectedError:
    return RejectedError(
        "ROW_TOO_LARGE",
        f"row {row} (at byte {offset}) is longer than the {limit_bytes} bytes that a request may hold; "
        "look for a double quote that is never closed, or raise the model's body_limit_bytes",
    )
