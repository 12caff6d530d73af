"""Finds where a shard's first row starts and its last row ends, before any of its rows is scored.

A newline ends a row only outside quotes, and all bytes before a shard decide whether its first byte is within quotes.
Usually the last of these bytes are enough to tell; if not, all quotes before the shard are counted. A stray quote makes
the count wrong, but the shard that owns its row then ends the job. Files with escapes are not divided, because a
backslash at the start of a shard may be escaped by the last byte of the shard before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from dropscore.files.dialect import RFC_4180, Dialect

Read = Callable[[int, int | None], Iterable[bytes]]
"""The bytes of the file from one position to another (None: its end), in chunks."""

WINDOW_BYTES = 1 << 16
_QUOTE = re.compile(b'"')
_BEFORE_OPENING = frozenset(b'\n"')
_AFTER_CLOSING = frozenset(b'\r\n"')


def first_row_at(read: Read, boundary: int, size: int, *, max_row_bytes: int, dialect: Dialect = RFC_4180) -> int:
    """The position of the first row that starts at or after `boundary`; the file's size if none does.

    `max_row_bytes` is the longest legal row: the shard that owns a longer one rejects the file.
    """
    if boundary == 0:
        return 0
    # From the byte before the boundary on: if it ends a row, the next row starts exactly at the boundary.
    is_inside = dialect.has_quotes and _is_inside(read, boundary - 1, max_row_bytes, dialect.delimiter)
    position = boundary - 1
    for chunk in map(dialect.marks, read(boundary - 1, None)):
        end = _row_end(chunk, is_inside)
        if end:
            return position + end
        position += len(chunk)
        is_inside ^= chunk.count(b'"') % 2 == 1
    return size


def owned(read: Read, start: int, boundary: int, dialect: Dialect = RFC_4180) -> Iterator[bytes]:
    """The bytes of the rows that start at or after `start`, the start of a row, and before `boundary`."""
    if start >= boundary:
        return
    is_inside = False
    for chunk in read(start, boundary - 1) if boundary - 1 > start else ():
        is_inside ^= dialect.marks(chunk).count(b'"') % 2 == 1
        yield chunk
    for chunk in read(boundary - 1, None):
        marks = dialect.marks(chunk)
        end = _row_end(marks, is_inside)
        yield chunk[:end] if end else chunk
        if end:
            return
        is_inside ^= marks.count(b'"') % 2 == 1


def _row_end(chunk: bytes, is_inside: bool) -> int:
    """The position after the first newline outside quotes; 0 if there is none."""
    at = 0
    for quote in chain((match.start() for match in _QUOTE.finditer(chunk)), (len(chunk),)):
        newline = -1 if is_inside else chunk.find(b"\n", at, quote)
        if newline >= 0:
            return newline + 1
        at, is_inside = quote + 1, not is_inside
    return 0


def _is_inside(read: Read, position: int, max_row_bytes: int, delimiter: bytes) -> bool:
    """Whether the byte at `position` is within quotes."""
    size = min(WINDOW_BYTES, max_row_bytes)
    while True:
        low = max(0, position - size)
        window = b"".join(read(low, position)) if position else b""
        if low == 0:
            return window.count(b'"') % 2 == 1
        is_inside = _state_at_end(window, delimiter)
        if is_inside is not None:
            return is_inside
        if size >= max_row_bytes:
            break
        # A longer window may hold quotes that are legal in only one way.
        size = min(8 * size, max_row_bytes)
    if b'"' not in window:
        return False  # if it were, its row would be longer than a row may be, and the file rejected
    return sum(chunk.count(b'"') for chunk in read(0, position)) % 2 == 1


def _state_at_end(window: bytes, delimiter: bytes) -> bool | None:
    """Whether the window's end is within quotes; None unless only one answer makes its quotes legal."""
    if b'"' not in window:
        return None
    outside, inside = (_is_legal(window, delimiter[0], is_inside) for is_inside in (False, True))
    if outside == inside:
        return None
    return inside ^ (window.count(b'"') % 2 == 1)


def _is_legal(window: bytes, delimiter: int, is_inside: bool) -> bool:
    """Whether every opening quote follows a delimiter or a row end, and every closing quote precedes one."""
    for match in _QUOTE.finditer(window):
        at = match.start()
        if is_inside:
            fits = at + 1 == len(window) or window[at + 1] == delimiter or window[at + 1] in _AFTER_CLOSING
        else:
            fits = at == 0 or window[at - 1] == delimiter or window[at - 1] in _BEFORE_OPENING
        if not fits:
            return False
        is_inside = not is_inside
    return True
