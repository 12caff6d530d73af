"""Cells of a row as they are written, with their quotes. As for rows, quotes count by parity (decision 0003)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from dropscore.files.dialect import BACKSLASH, QUOTE, RFC_4180, Dialect
from dropscore.position import Column, printable_name

# Wider than what a model accepts as a number: 1,5 and 1_000 and dates are not column names either.
_NUMERIC = re.compile(rb"[+-]?(?:[.,]?\d[\d.,_:/ -]*(?:e[+-]?\d+)?|nan|inf|infinity)", re.IGNORECASE)

_ESCAPED = re.compile(rb'\\[\\"]|""')


def outside_quotes(data: bytes) -> bytes:
    return b"".join(data.split(b'"')[::2])


def is_plain(data: bytes, separators: bytes, dialect: Dialect = RFC_4180) -> bool:
    """Whether no separator is within quotes. Much quicker than a look at each cell."""
    marks = dialect.marks(data)
    if QUOTE not in marks:
        return True
    # Without all other bytes: if every run of quotes is even, every separator is outside quotes.
    return QUOTE not in only(marks, separators + QUOTE).replace(b'""', b"")


def only(data: bytes, allowed: bytes) -> bytes:
    """The allowed bytes of the data, in their order."""
    return data.translate(None, _all_but(allowed))


@lru_cache(maxsize=16)
def _all_but(allowed: bytes) -> bytes:
    return bytes(byte for byte in range(256) if byte not in allowed)


def split_cells(line: bytes, dialect: Dialect) -> list[bytes]:
    """The cells; joined by the delimiter, they are the line again."""
    marks = dialect.marks(line)
    if QUOTE not in marks:
        return line.split(dialect.delimiter)
    cells = _split_quoted(marks, dialect.delimiter)
    return cells if marks is line else list(_as_written(line, cells))


def _split_quoted(line: bytes, delimiter: bytes) -> list[bytes]:
    cells: list[bytes] = []
    open_cell: list[bytes] = []  # the cell so far; joined once, because it may be long
    # Segments are outside and inside quotes in turn; a doubled quote gives an empty segment outside.
    for number, segment in enumerate(line.split(b'"')):
        is_inside = number % 2 == 1
        first, *others = [segment] if is_inside else segment.split(delimiter)
        open_cell += (b'"', first) if number else (first,)
        if others:
            cells += (b"".join(open_cell), *others[:-1])
            open_cell = others[-1:]
    return [*cells, b"".join(open_cell)]


def _as_written(line: bytes, marks: Iterable[bytes]) -> Iterator[bytes]:
    """The cells of the line at the places of the cells of its marks, which have the same lengths."""
    start = 0
    for cell in marks:
        yield line[start : start + len(cell)]
        start += len(cell) + 1


def column_of(header: bytes, number: int, dialect: Dialect) -> Column:
    """Column `number`, from 1, of a file with that header; without a name if the header has no such cell."""
    names = split_cells(header.rstrip(b"\r\n"), dialect)
    return Column(number, printable_name(value_of(names[number - 1])) if number <= len(names) else "")


def value_of(cell: bytes) -> bytes:
    """The value of a cell: without its quotes and the blanks around it."""
    return content_of(cell.strip(), RFC_4180).strip()


def content_of(cell: bytes, dialect: Dialect) -> bytes:
    """The exact content of a cell: without its quotes; quotes inside are no longer doubled or escaped."""
    if not dialect.has_quotes or len(cell) < 2 or not (cell.startswith(QUOTE) and cell.endswith(QUOTE)):
        return cell
    if dialect.has_escapes and BACKSLASH in cell:
        return _ESCAPED.sub(lambda escaped: escaped[0][1:], cell[1:-1])
    return cell[1:-1].replace(b'""', QUOTE)


def quoted(content: bytes) -> bytes:
    """A cell in RFC 4180 quotes with that content."""
    return QUOTE + content.replace(QUOTE, b'""') + QUOTE


def is_numeric(cell: bytes) -> bool:
    return _NUMERIC.fullmatch(value_of(cell)) is not None
