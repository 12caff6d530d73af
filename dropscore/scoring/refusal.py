"""What a model container says of the rows that it refuses: JSON in the body of its 400, of which only codes and numbers
are used. docs/model-container.md describes it.

SageMaker's API gives OriginalMessage at most 2,048 characters, so a long list may arrive cut off.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MAX_COLUMNS = 1_000_000
_LIST = re.compile(r',?\s*"rows"\s*:\s*\[')
_BETWEEN = re.compile(r"[\s,]*")
_STEP = re.compile(r"([1-9]\d{0,8})(?:x([1-9]\d{0,8}))?")


@dataclass(frozen=True)
class Named:
    """A row of the request, counted from 1, and its fault; `code` is any string, and None where there was none."""

    row: int
    column: int | None
    code: str | None


@dataclass(frozen=True)
class Refusal:
    """`rows` ascend, one entry a row. `has_more`: further rows are bad; None where the container did not say."""

    code: str | None
    rows: tuple[Named, ...]
    has_more: bool | None


def parse(text: str, rows: int) -> Refusal:
    """The refusal of a request of so many `rows`; what is not as agreed counts as not said."""
    said, listed, is_whole = _read(text)
    code = _text(said.get("code"))
    found = {named.row: named for entry in listed for named in _entry(entry, rows)}
    if found:
        has_more = said.get("more") is True or not is_whole
        return Refusal(code, tuple(found[row] for row in sorted(found)), has_more)
    hint = _named(said.get("row"), said.get("column"), code, rows)
    return Refusal(code, (hint,) if hint else (), None)


def _read(text: str) -> tuple[dict[str, Any], list[Any], bool]:
    """The object, its list of rows, and whether both are whole."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return *_read_cut_off(text), False
    if not isinstance(said, dict):
        return {}, [], True
    listed = said.get("rows")
    return said, listed if isinstance(listed, list) else [], True


def _read_cut_off(text: str) -> tuple[dict[str, Any], list[Any]]:
    """What comes before the list, and the entries of it that arrived whole."""
    start = _LIST.search(text)
    if start is None:
        return {}, []
    try:
        said = json.loads(text[: start.start()] + "}")
    except (ValueError, RecursionError):
        said = {}
    return said if isinstance(said, dict) else {}, list(_entries(text, start.end()))


def _entries(text: str, position: int) -> Iterator[Any]:
    decoder = json.JSONDecoder()
    while position < len(text):
        position = _BETWEEN.match(text, position).end()  # type: ignore[union-attr]  # it matches nothing too
        try:
            entry, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            return
        yield entry


def _entry(entry: Any, rows: int) -> Iterator[Named]:
    """`{"row": 3, "column": 5, "code": "…"}`, or `["…", 5, "3 1x2 4"]` for rows 3, 4, 5 and 9."""
    if isinstance(entry, dict):
        one = _named(entry.get("row"), entry.get("column"), _text(entry.get("code")), rows)
        if one:
            yield one
    elif isinstance(entry, list) and len(entry) == 3 and isinstance(entry[2], str):
        for row in _steps(entry[2], rows):
            yield Named(row, _number(entry[1], MAX_COLUMNS), _text(entry[0]))


def _steps(text: str, rows: int) -> Iterator[int]:
    """Distances, each from the row before, `x` how often; ends with the first that leads out of the request."""
    row = 0
    for word in text.split(" "):
        step = _STEP.fullmatch(word)
        for _ in range(int(step[2] or 1) if step else 0):
            row += int(step[1]) if step else 0
            if row > rows:
                return
            yield row


def _named(row: Any, column: Any, code: str | None, rows: int) -> Named | None:
    place = _number(row, rows)
    return None if place is None else Named(place, _number(column, MAX_COLUMNS), code)


def _number(value: Any, most: int) -> int | None:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and 1 <= value <= most else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
