"""Cells of a row as they are written, quotes and all. As with rows, quotes count by parity (decision 0003)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from dropscore.files.dialect import BACKSLASH, QUOTE, RFC_4180, Dialect
from dropscore.position import Column, shown

# Wider than what a model takes for a number: 1,5 and 1_000 and dates are no names of columns either.
_NUMERIC = re.compile(rb"[+-]?(?:[.,]?\d[\d.,_:/ -]*(?:e[+-]?\d+)?|nan|inf|infinity)", re.IGNORECASE)

_ESCAPED = re.compile(rb'\\[\\"]|""')


def outside_quotes(data: bytes) -> bytes:
    return b"".join(data.split(b'"')[::2])


def is_plain(data: bytes, separators: bytes, dialect: Dialect = RFC_4180) -> bool:
    """Whether none of the separators stands within quotes. Far quicker than to look at each cell."""
    marks = dialect.marks(data)
    if QUOTE not in marks:
        return True
    # Of quotes and separators alone: where each run of quotes is even, each separator stands outside.
    return QUOTE not in only(marks, separators + QUOTE).replace(b'""', b"")


def only(data: bytes, letters: bytes) -> bytes:
    """The data without all other bytes."""
    return data.translate(None, _all_but(letters))


@lru_cache(maxsize=16)
def _all_but(letters: bytes) -> bytes:
    return bytes(byte for byte in range(256) if byte not in letters)


def split_cells(line: bytes, dialect: Dialect) -> list[bytes]:
    """The cells, which joined by the delimiter are the line again."""
    marks = dialect.marks(line)
    if QUOTE not in marks:
        return line.split(dialect.delimiter)
    cells = _split_quoted(marks, dialect.delimiter)
    return cells if marks is line else list(_as_written(line, cells))


def _split_quoted(line: bytes, delimiter: bytes) -> list[bytes]:
    cells: list[bytes] = []
    held: list[bytes] = []  # what there is of the cell so far; joined once, for it may be long
    for number, piece in enumerate(line.split(b'"')):
        is_inside = number % 2 == 1
        first, *others = [piece] if is_inside else piece.split(delimiter)
        held += (b'"', first) if number else (first,)
        if others:
            cells += (b"".join(held), *others[:-1])
            held = others[-1:]
    return [*cells, b"".join(held)]


def _as_written(line: bytes, marks: Iterable[bytes]) -> Iterator[bytes]:
    """The cells of the line that stand where those of its marks do."""
    start = 0
    for cell in marks:
        yield line[start : start + len(cell)]
        start += len(cell) + 1


def column_of(header: bytes, number: int, dialect: Dialect) -> Column:
    """Column `number`, from 1, of a file with that header; a header of nothing names none."""
    names = split_cells(header.rstrip(b"\r\n"), dialect)
    return Column(number, shown(value_of(names[number - 1])) if number <= len(names) else "")


def value_of(cell: bytes) -> bytes:
    """What a cell says: without its quotes and the blanks around."""
    return content_of(cell.strip(), RFC_4180).strip()


def content_of(cell: bytes, dialect: Dialect) -> bytes:
    """What a cell holds to the letter: a quoted one without its quotes, those inside no longer doubled or escaped."""
    if not dialect.has_quotes or len(cell) < 2 or not (cell.startswith(QUOTE) and cell.endswith(QUOTE)):
        return cell
    if dialect.has_escapes and BACKSLASH in cell:
        return _ESCAPED.sub(lambda said: said[0][1:], cell[1:-1])
    return cell[1:-1].replace(b'""', QUOTE)


def quoted(content: bytes) -> bytes:
    """A cell that every reader of RFC 4180 reads as that content."""
    return QUOTE + content.replace(QUOTE, b'""') + QUOTE


def is_numeric(cell: bytes) -> bool:
    return _NUMERIC.fullmatch(value_of(cell)) is not None
