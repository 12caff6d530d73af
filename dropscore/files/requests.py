"""Cuts a byte stream into requests. A row ends at a newline outside double quotes, and no row is ever split.

A blank line (empty, or one carriage return) is not a row: it stays with the row after it and is never counted.
A quote in an illegal place makes row ends uncertain, and ends the reading with StrayQuoteError.
The work is done on whole blocks by bytes methods (find, count, split): it costs a few scans of memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Protocol

from dropscore.errors import RowTooLargeError, StrayQuoteError
from dropscore.files.cells import split_cells
from dropscore.files.dialect import BLANK, QUOTE, RFC_4180, Dialect, Fault

# A line of marks: newlines between quotes belong to it, and a quote that is never closed extends it to the end.
_LINE = re.compile(rb'(?:[^"\n]++|"[^"]*+(?:"|\Z))*+\n?')


@dataclass(frozen=True, slots=True)
class Request:
    """Whole rows that are sent together: `rows` rows, starting with row `first_row` (1-based) of the file.

    `offset` is the request's first byte in the file, `line` the line number that an editor shows there.
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
        """The byte of the file at which the first row starts, after the blank lines before it."""
        return self.offset + self.dialect.end_of_blank_lines(self.data)

    @property
    def first_row_line(self) -> int:
        return self.line + self.data.count(b"\n", 0, self.dialect.end_of_blank_lines(self.data))


class Requests(Protocol):
    """Where the scorer gets its requests from."""

    def next(self, limit_bytes: int) -> Request | None:
        """The next request, of at most `limit_bytes` or one row; None at the end."""


class Cutter:
    """Cuts a byte stream into requests whose concatenation is the stream. Memory: one request and one chunk.

    The stream begins at byte `offset` and line `line` of the file. No row may be longer than `max_bytes`.
    `next` raises RowTooLargeError or StrayQuoteError after a request with the rows before the fault.
    """

    def __init__(
        self,
        chunks: Iterable[bytes],
        max_bytes: int,
        dialect: Dialect = RFC_4180,
        *,
        offset: int = 0,
        line: int = 1,
    ) -> None:
        # `_read` takes an empty chunk for the end, so the stream's own empty chunks are left out.
        self._chunks = chain(filter(None, chunks), (b"",))
        self.max_bytes = max_bytes
        self._dialect = dialect
        self._offset, self._line, self._row = offset, line, 1
        self._buffer = bytearray()
        self._is_read = False
        self._error: RowTooLargeError | StrayQuoteError | None = None

    def __iter__(self) -> Iterator[Request]:
        while request := self.next(self.max_bytes):
            yield request

    def next(self, limit_bytes: int) -> Request | None:
        if self._error:
            raise self._error
        limit_bytes = min(limit_bytes, self.max_bytes)
        end = self._end_of_request(limit_bytes)
        while not end and not self._is_read and len(self._buffer) <= self.max_bytes:
            self._read()
            end = self._end_of_request(limit_bytes)
        return self._take(end) if self._buffer else None

    def _read(self) -> None:
        chunk = next(self._chunks)
        self._buffer += chunk
        self._is_read = not chunk

    def _end_of_request(self, limit_bytes: int) -> int:
        """The end of the next request: as many rows as fit, else one row; 0 if more must be read first."""
        if len(self._buffer) <= limit_bytes:
            return len(self._buffer) if self._is_read else 0
        marks = self._dialect.marks(self._buffer)
        # `limit_bytes` falls when the endpoint refuses a request. A row over it is still sent, alone; only a row over
        # `max_bytes` is rejected.
        end = _end_of_last_row(marks, limit_bytes) or _end_of_first_row(marks, self.max_bytes)
        return end or (len(marks) if self._is_read and len(marks) <= self.max_bytes else 0)

    def _take(self, end: int) -> Request | None:
        """Takes the request out of the buffer. Without an `end`, the buffer begins with a row that is too long."""
        dialect = self._dialect
        # The memoryview saves a copy: a slice of a bytearray is a bytearray.
        data = bytes(memoryview(self._buffer)[: end or len(self._buffer)])
        outline = dialect.outline(data)
        request = Request(data, self._row, _count(data, outline, dialect), self._offset, self._line, dialect)
        # Before the check of the length: a stray quote is the usual reason that a row seems endless.
        fault = None if dialect.is_sound(outline) else dialect.fault(data, is_whole=bool(end))
        if fault:
            self._error = stray(request, fault)
            # Rows before the fault are scored first; without any, `next` raises the error now.
            return _sound_rows(request, fault) or self.next(self.max_bytes)
        if not end:
            self._error = too_large(self._row, request.first_row_offset, self.max_bytes, request.first_row_line)
            raise self._error
        del self._buffer[:end]
        self._row, self._offset = self._row + request.rows, self._offset + end
        self._line += data.count(b"\n")
        return request


class Picked:
    """Single rows of other requests: those at `offsets` (ascending, in bytes of the file), numbered from 1."""

    def __init__(self, requests: Iterable[Request], offsets: Iterable[int]) -> None:
        self._rows = pick(requests, offsets)

    def next(self, limit_bytes: int) -> Request | None:  # noqa: ARG002 - of the Requests protocol
        return next(self._rows, None)


def cut(
    chunks: Iterable[bytes], max_bytes: int, dialect: Dialect = RFC_4180, *, offset: int = 0, line: int = 1
) -> Iterator[Request]:
    """The requests of a `Cutter` whose limit does not change."""
    return iter(Cutter(chunks, max_bytes, dialect, offset=offset, line=line))


def pick(requests: Iterable[Request], offsets: Iterable[int]) -> Iterator[Request]:
    """Only the rows at these offsets (ascending, in bytes of the file), each as a request of its own.

    They are numbered from 1, as if they were the file.
    """
    rest, row = iter(offsets), 0
    offset = next(rest, None)
    for request in requests:
        while offset is not None and offset < request.offset + len(request.data):
            start = offset - request.offset
            line = _LINE.match(request.dialect.marks(request.data), start) if start >= 0 else None
            if line:
                row += 1
                number = request.line + request.data.count(b"\n", 0, start)
                yield Request(request.data[start : line.end()], row, 1, offset, number, request.dialect)
            offset = next(rest, None)


def row_ends(data: bytes, dialect: Dialect = RFC_4180) -> Iterator[int]:
    """The position after each row; the last row may lack its newline, and includes the blank lines after it."""
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
    """The number of rows with empty cells only, as spreadsheets leave them; blank lines do not count."""
    if not dialect.may_have_empty_rows(data):
        return 0
    return sum(map(dialect.is_empty_row, split_rows(data, replace(dialect, skips_empty_rows=False))))


def _count(data: bytes, outline: bytes, dialect: Dialect) -> int:
    if dialect.skips_empty_rows and dialect.may_have_empty_rows(data):
        return len(split_rows(data, dialect))
    if RFC_4180.has_blank_lines(outline):
        return sum(line not in (b"", b"\r") for line in outline.split(b"\n"))
    return outline.count(b"\n") + (not outline.endswith(b"\n") and outline != b"")


def _end_of_first_row(marks: bytes | bytearray, limit: int) -> int:
    end, quotes = 0, 0
    while newline := marks.find(b"\n", end, limit) + 1:
        quotes += marks.count(b'"', end, newline)
        end = newline
        if quotes % 2 == 0:
            return end
    return 0


def _end_of_last_row(marks: bytes | bytearray, limit: int) -> int:
    """The position after the last row end within `limit` bytes; 0 if the first row is longer."""
    end = marks.rfind(b"\n", 0, limit) + 1
    quotes = marks.count(b'"', 0, end)
    # The last newline is usually a row's end. If it is inside quotes, step back line by line.
    while end and quotes % 2:
        previous = marks.rfind(b"\n", 0, end - 1) + 1
        quotes -= marks.count(b'"', previous, end)
        end = previous
    return end


def _sound_rows(request: Request, fault: Fault) -> Request | None:
    """The rows before the fault, so that an error in them is reported first; None if there are none."""
    start = _end_of_last_row(request.dialect.marks(request.data), fault.certain)
    data = request.data[:start]
    rows = count_rows(data, request.dialect)
    return Request(data, request.first_row, rows, request.offset, request.line, request.dialect) if rows else None


def stray(request: Request, fault: Fault) -> StrayQuoteError:
    """The error for the fault, with its row, column, line and byte in the file."""
    data, dialect = request.data, request.dialect
    start = _end_of_last_row(dialect.marks(data), fault.certain)
    row = request.first_row + count_rows(data[:start], dialect)
    column = len(split_cells(data[start : fault.certain], dialect))
    line = request.line + data.count(b"\n", 0, fault.position)
    return StrayQuoteError(fault.problem, row=row, column=column, line=line, offset=request.offset + fault.position)


def too_large(row: int, offset: int, limit_bytes: int, line: int | None = None) -> RowTooLargeError:
    return RowTooLargeError(
        "ROW_TOO_LARGE",
        f"it is longer than {limit_bytes} bytes, the longest request that the model accepts; "
        "look for a double quote that is never closed, or raise the model's max_payload_bytes",
        rows=(row, row),
        offset=offset,
        line=line,
    )
