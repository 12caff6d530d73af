"""Decides whether a file's first row is a header, for the option `header = "auto"`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from dropscore.errors import RejectedError
from dropscore.files.cells import is_numeric, value_of

_NO_LETTER = rb"[^A-Za-z\x80-\xff]*"
_NO_NAME = re.compile(_NO_LETTER + rb"\d" + _NO_LETTER)  # 1;2 and 12% are not names either
# A decimal number in a cell (1.5x, V1.1), a sign before a digit (-x2), one letter between digits (1x25). If a damaged
# first row were taken for a header, the row would be lost without an error.
_MAY_BE_DAMAGED = re.compile(rb".*\d[.,]\d.*|[+-].*\d.*|\.?\d+[A-Za-z]\d+", re.DOTALL)
MISSING_VALUES = frozenset(
    {b"#n/a", b"#n/a n/a", b"#na", b"-", b"--", b".", b"?", b"<na>", b"\\n", b"missing", b"n.a.", b"n/a", b"na"}
    | {b"nan", b"nil", b"none", b"null"}
)
"""Usual words for a missing value, in lower case. They are never column names."""


def is_header(
    cells: Sequence[bytes], width: int | None, names: Sequence[bytes], chosen: Collection[bytes] = ()
) -> bool:
    """Whether the first row names columns. Raises RejectedError AMBIGUOUS_HEADER if it may also be a row.

    `width` is how many cells the rows below have, None if there are none; `names` are the names of the model's
    features, empty if they are unknown; `chosen` are the columns that the options name.
    """
    values = [value_of(cell) for cell in cells]
    if names_all_features(values, names) or (chosen and set(chosen).issubset(values)):
        return True
    if any(map(_holds_number, values)):
        return _number_columns(values, names)
    if width not in (None, len(values)):
        raise ambiguous(f"it has {_cells(len(values))} and the rows below have {width}; remove it if it is neither")
    damaged = next((place for place, value in enumerate(values, 1) if _MAY_BE_DAMAGED.fullmatch(value)), None)
    if damaged:
        raise ambiguous(f"column {damaged} may be a name, or a number with a stray character in it")
    if _are_words(values):
        return True
    if names and set(names).isdisjoint(values):
        return False  # a header would contain names of the model's features
    raise ambiguous("it contains no number, and its cells are not distinct names")


def names_all_features(values: Sequence[bytes], names: Sequence[bytes]) -> bool:
    """Whether a row contains the name of every feature. Numbers as names do not count: a row may have them too."""
    return bool(names) and set(names).issubset(values) and not all(map(is_numeric, names))


def begins_as_header(cells: Sequence[bytes]) -> bool:
    """Whether the cells of a first row that is cut off contain no number, or number the columns."""
    values = [value_of(cell) for cell in cells]
    return bool(values) and (_is_numbering(values) or not any(map(_holds_number, values)))


def ambiguous(why: str) -> RejectedError:
    return RejectedError(
        "AMBIGUOUS_HEADER",
        f"the first row may be a header or a row: {why}. Set header = true if it names the columns, "
        "header = false if it is a row",
    )


def _number_columns(values: Sequence[bytes], names: Sequence[bytes]) -> bool:
    """False for a row with a number in it, which is data unless it may number or name the columns."""
    if _is_numbering(values):
        raise ambiguous("its cells number the columns, as data frames without names write them")
    words = {name for name in names if not is_numeric(name)}
    is_like_names = set(names).issubset(values) if not words else not words.isdisjoint(values)
    if names and is_like_names:
        raise ambiguous("it contains a number and names of the model's features")
    return False


def _holds_number(value: bytes) -> bool:
    return is_numeric(value) or _NO_NAME.fullmatch(value) is not None


def _is_numbering(values: Sequence[bytes]) -> bool:
    """Exactly 0…n-1 or 1…n, or 0…n-1 after an empty cell, as a data frame with row numbers writes it.

    A single 0 or 1 is not a numbering: in a file of one column it is an ordinary value.
    """
    if len(values) > 2 and not values[0]:
        return list(values[1:]) == list(_numbers(0, len(values) - 1))
    return len(values) > 1 and any(list(values) == list(_numbers(start, len(values))) for start in (0, 1))


def _numbers(start: int, count: int) -> Iterator[bytes]:
    return (b"%d" % number for number in range(start, start + count))


def _are_words(values: Sequence[bytes]) -> bool:
    """Whether the values are distinct, none but the first is empty, and none is a usual missing value."""
    is_filled = any(values) and all(values[1:])
    return is_filled and len(set(values)) == len(values) and MISSING_VALUES.isdisjoint(map(bytes.lower, values))


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"
