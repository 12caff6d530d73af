"""Where a shard's first row starts and its last row ends: found out before a row of it is scored.

A newline ends a row only outside quotes, and whether the first byte of a shard stands between quotes is decided by all
bytes before it. Mostly a look at the last of them will do; where it will not, all their quotes are counted. That is
right as far as the quotes before it are: a stray one ends the job in the shard that owns its row. A backslash that
escapes a quote may itself be escaped by a byte of the shard before, so files with escapes are not divided.
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


def first_row_at(read: Read, boundary: int, size: int, *, most_bytes: int, dialect: Dialect = RFC_4180) -> int:
    """The position of the first row that starts at or after `boundary`; the file's size where none does.

    `most_bytes` is what a row may have: a longer one is refused by the shard that owns it.
    """
    if boundary == 0:
        return 0
    is_inside = dialect.has_quotes and _is_inside(read, boundary - 1, most_bytes, dialect.delimiter)
    position = boundary - 1
    for chunk in map(dialect.marks, read(boundary - 1, None)):
        end = _row_end(chunk, is_inside)
        if end:
            return position + end
        position += len(chunk)
        is_inside ^= chunk.count(b'"') % 2 == 1
    return size


def owned(read: Read, start: int, boundary: int, dialect: Dialect = RFC_4180) -> Iterator[bytes]:
    """The rows that start from `start` on, itself the start of a row, and before `boundary`: the last one whole."""
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
    """The position after the first newline outside quotes; 0 where there is none."""
    at = 0
    for quote in chain((match.start() for match in _QUOTE.finditer(chunk)), (len(chunk),)):
        newline = -1 if is_inside else chunk.find(b"\n", at, quote)
        if newline >= 0:
            return newline + 1
        at, is_inside = quote + 1, not is_inside
    return 0


def _is_inside(read: Read, position: int, most_bytes: int, delimiter: bytes) -> bool:
    """Whether the byte at `position` stands between quotes."""
    size = min(WINDOW_BYTES, most_bytes)
    while True:
        low = max(0, position - size)
        window = b"".join(read(low, position)) if position else b""
        if low == 0:
            return window.count(b'"') % 2 == 1
        seen = _seen(window, delimiter)
        if seen is not None:
            return seen
        if size >= most_bytes:
            break
        size = min(8 * size, most_bytes)
    if b'"' not in window:
        return False  # else it would stand in a row longer than a row may be, which is refused anyway
    return sum(chunk.count(b'"') for chunk in read(0, position)) % 2 == 1


def _seen(window: bytes, delimiter: bytes) -> bool | None:
    """Whether the window's end stands between quotes, where only one answer makes sense of the quotes in it."""
    if b'"' not in window:
        return None
    outside, inside = (_makes_sense(window, delimiter[0], is_inside) for is_inside in (False, True))
    if outside == inside:
        return None
    return inside ^ (window.count(b'"') % 2 == 1)


def _makes_sense(window: bytes, delimiter: int, is_inside: bool) -> bool:
    """Whether every quote that opens stands after a delimiter or a row's end, and every one that closes before one."""
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
