"""Line-aligned bodies out of a byte stream. A row ends at a newline outside double quotes; no row is ever split.

A line of nothing (or of a carriage return) is no row: it is carried along with the row after it, and never counted.
A quote that stands where none may stand makes row ends uncertain, and ends the reading with StrayQuoteError.
Work is done on whole blocks by bytes methods (find, count, split): the cost is a few scans of memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

from dropscore.errors import RowTooLargeError, StrayQuoteError
from dropscore.files.cells import split_cells
from dropscore.files.dialect import BLANK, QUOTE, RFC_4180, Dialect, Fault

# A line of marks: newlines between quotes belong to it, and a quote that is never closed goes to the end.
_LINE = re.compile(rb'(?:[^"\n]++|"[^"]*+(?:"|\Z))*+\n?')


@dataclass(frozen=True, slots=True)
class Body:
    """Whole rows: `rows` of them, the first being row `first_row` (1-based), at byte `offset` of the file.

    `line` is the number that an editor gives to the first line of the body.
    """

    data: bytes
    first_row: int
    rows: int
    offset: int
    line: int = 1
    dialect: Dialect = RFC_4180

    @property
    def last_row(self) -> int:
        return self.first_row + self.rows - 1

    @property
    def first_row_offset(self) -> int:
        """Where the first row itself stands in the file, past the blank lines before it."""
        return self.offset + self.dialect.end_of_blank_lines(self.data)

    @property
    def first_row_line(self) -> int:
        return self.line + self.data.count(b"\n", 0, self.dialect.end_of_blank_lines(self.data))


class Limit:
    """How many bytes a body may have; falls when an endpoint turns out to take less. A single row may have `most`."""

    def __init__(self, limit_bytes: int) -> None:
        self.bytes = self.most = limit_bytes

    def refused(self, size_bytes: int) -> None:
        """A body of this size was too large: half of it is tried next."""
        self.bytes = min(self.bytes, max(1, size_bytes // 2))


def cut(
    chunks: Iterable[bytes], limit: Limit, dialect: Dialect = RFC_4180, *, offset: int = 0, line: int = 1
) -> Iterator[Body]:
    """Bodies of at most `limit`, as long as they can be, whose concatenation is the input.

    The input begins at byte `offset` and line `line` of the file. Memory: one body and one chunk.
    Raises RowTooLargeError and StrayQuoteError, after a body of the rows before.
    """
    buffer, row = bytearray(), 1
    for chunk in chain(filter(None, chunks), (b"",)):
        buffer += chunk
        while buffer and (len(buffer) > limit.bytes or not chunk):
            end = _end_of_body(dialect.marks(buffer), limit, is_whole=not chunk)
            if not end and len(buffer) <= limit.most:
                break  # the row goes on in the next chunk
            data = bytes(memoryview(buffer)[: end or len(buffer)])
            outline = dialect.outline(data)
            body = Body(data, row, _count(data, outline, dialect), offset, line, dialect)
            fault = None if dialect.is_sound(outline) else dialect.fault(data, is_whole=bool(end))
            if fault:
                yield from _sound_rows(body, fault)
                raise stray(body, fault)
            if not end:
                raise too_large(row, body.first_row_offset, limit.most, body.first_row_line)
            yield body
            row, offset, line = row + body.rows, offset + end, line + data.count(b"\n")
            del buffer[:end]


def pick(bodies: Iterable[Body], offsets: Iterable[int]) -> Iterator[Body]:
    """Of all rows only those that stand at these offsets (ascending, in bytes of the file), each a body of its own.

    They are numbered from 1, as if they were the file.
    """
    wanted, row = iter(offsets), 0
    offset = next(wanted, None)
    for body in bodies:
        while offset is not None and offset < body.offset + len(body.data):
            start = offset - body.offset
            line = _LINE.match(body.dialect.marks(body.data), start) if start >= 0 else None
            if line:
                row += 1
                number = body.line + body.data.count(b"\n", 0, start)
                yield Body(body.data[start : line.end()], row, 1, offset, number, body.dialect)
            offset = next(wanted, None)


def row_ends(data: bytes, dialect: Dialect = RFC_4180) -> Iterator[int]:
    """The position after each row; the last row may lack its newline, and has the blank lines after it."""
    end = 0
    for line in _LINE.finditer(dialect.marks(data)):
        if line[0] and not dialect.is_blank(data[line.start() : line.end()]):
            if end:
                yield end
            end = line.end()
    if end:
        yield len(data)


def split_rows(data: bytes, dialect: Dialect = RFC_4180) -> list[bytes]:
    """The rows of data that starts at the start of a row, each with its line end; blank lines are left out."""
    marks = dialect.marks(data)
    if QUOTE not in marks:
        lines = [line + b"\n" for line in data.split(b"\n")]
        lines[-1] = lines[-1][:-1]
    elif marks is data:
        lines = _LINE.findall(data)
    else:
        lines = [data[line.start() : line.end()] for line in _LINE.finditer(marks)]
    rows = [line for line in lines if line and line not in BLANK]
    return [row for row in rows if not dialect.is_empty_row(row)] if dialect.skips_empty_rows else rows


def count_rows(data: bytes, dialect: Dialect = RFC_4180) -> int:
    """Rows in data that starts at the start of a row; a last row without a newline counts."""
    return _count(data, dialect.outline(data), dialect)


# They count as rows: a row of missing values is valid, and users who join scores to rows by line need its line.
def count_empty_rows(data: bytes, dialect: Dialect = RFC_4180) -> int:
    """Lines that hold empty cells and nothing else, as spreadsheets leave them; blank lines are none."""
    if not dialect.may_have_empty_rows(data):
        return 0
    return sum(map(dialect.is_empty_row, split_rows(data, replace(dialect, skips_empty_rows=False))))


def _count(data: bytes, outline: bytes, dialect: Dialect) -> int:
    if dialect.skips_empty_rows and dialect.may_have_empty_rows(data):
        return len(split_rows(data, dialect))
    if RFC_4180.has_blank_lines(outline):
        return sum(line not in (b"", b"\r") for line in outline.split(b"\n"))
    return outline.count(b"\n") + (not outline.endswith(b"\n") and outline != b"")


def _end_of_body(marks: bytes | bytearray, limit: Limit, *, is_whole: bool) -> int:
    """Where the next body ends: as late as the limit allows, else after one row; 0 where that row has no end yet."""
    if len(marks) <= limit.bytes:
        return len(marks)
    end = _end_of_last_row(marks, limit.bytes) or _end_of_first_row(marks, limit.most)
    return end or (len(marks) if is_whole and len(marks) <= limit.most else 0)


def _end_of_first_row(marks: bytes | bytearray, limit: int) -> int:
    end, quotes = 0, 0
    while newline := marks.find(b"\n", end, limit) + 1:
        quotes += marks.count(b'"', end, newline)
        end = newline
        if quotes % 2 == 0:
            return end
    return 0


def _end_of_last_row(marks: bytes | bytearray, limit: int) -> int:
    """The position after the last row end within `limit` bytes; 0 where the first row is longer."""
    end = marks.rfind(b"\n", 0, limit) + 1
    quotes = marks.count(b'"', 0, end)
    while end and quotes % 2:
        previous = marks.rfind(b"\n", 0, end - 1) + 1
        quotes -= marks.count(b'"', previous, end)
        end = previous
    return end


def _sound_rows(body: Body, fault: Fault) -> Iterator[Body]:
    """The rows before the fault, so that whatever is wrong with them is found first."""
    start = _end_of_last_row(body.dialect.marks(body.data), fault.certain)
    data = body.data[:start]
    rows = count_rows(data, body.dialect)
    if rows:
        yield Body(data, body.first_row, rows, body.offset, body.line, body.dialect)


def stray(body: Body, fault: Fault) -> StrayQuoteError:
    """Says in which row, column and line of the file it is."""
    data, dialect = body.data, body.dialect
    start = _end_of_last_row(dialect.marks(data), fault.certain)
    row = body.first_row + count_rows(data[:start], dialect)
    column = len(split_cells(data[start : fault.certain], dialect))
    line = body.line + data.count(b"\n", 0, fault.position)
    return StrayQuoteError(fault.what, row=row, column=column, line=line, offset=body.offset + fault.position)


def too_large(row: int, offset: int, limit_bytes: int, line: int | None = None) -> RowTooLargeError:
    return RowTooLargeError(
        "ROW_TOO_LARGE",
        f"it is longer than the {limit_bytes} bytes that a request may hold; "
        "look for a double quote that is never closed, or raise the model's max_payload_bytes",
        rows=(row, row),
        offset=offset,
        line=line,
    )
