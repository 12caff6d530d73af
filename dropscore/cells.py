"""Cells of a row as they are written, quotes and all. As with rows, quotes count by parity (decision 0003)."""

from __future__ import annotations

import re
from functools import lru_cache

# Wider than what a model takes for a number: 1,5 and 1_000 and dates are no names of columns either.
_NUMERIC = re.compile(rb"[+-]?(?:[.,]?\d[\d.,_:/ -]*(?:e[+-]?\d+)?|nan|inf|infinity)", re.IGNORECASE)


def outside_quotes(data: bytes) -> bytes:
    return b"".join(data.split(b'"')[::2])


def is_plain(data: bytes, separators: bytes) -> bool:
    """Whether none of the separators stands within quotes. Far quicker than to look at each cell."""
    if b'"' not in data:
        return True
    # Of quotes and separators alone: where each run of quotes is even, each separator stands outside.
    return b'"' not in only(data, separators + b'"').replace(b'""', b"")


def only(data: bytes, letters: bytes) -> bytes:
    """The data without all other bytes."""
    return data.translate(None, _all_but(letters))


@lru_cache(maxsize=16)
def _all_but(letters: bytes) -> bytes:
    return bytes(byte for byte in range(256) if byte not in letters)


def split_cells(line: bytes, delimiter: bytes) -> list[bytes]:
    """The cells, which joined by the delimiter are the line again."""
    return line.split(delimiter) if b'"' not in line else _split_quoted(line, delimiter)


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


def value_of(cell: bytes) -> bytes:
    """What a cell says: without its quotes and the blanks around."""
    text = cell.strip()
    if len(text) > 1 and text.startswith(b'"') and text.endswith(b'"'):
        text = text[1:-1].replace(b'""', b'"').strip()
    return text


def is_numeric(cell: bytes) -> bool:
    return _NUMERIC.fullmatch(value_of(cell)) is not None
