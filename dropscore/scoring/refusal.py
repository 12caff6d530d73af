"""Parses the JSON with which a model container refuses rows (HTTP 400). Only its codes and numbers are used.

docs/model-container.md describes the format.

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
# A distance is at least 1, so even a repetition of 999,999,999 ends at the last row of the request.
_STEP = re.compile(r"([1-9]\d{0,8})(?:x([1-9]\d{0,8}))?")


@dataclass(frozen=True)
class RefusedRow:
    """A row that the container named, counted from 1; `code` is any string, or None if there was none."""

    row: int
    column: int | None
    code: str | None


@dataclass(frozen=True)
class Refusal:
    """`rows` ascend, one entry for each row. `has_more`: further rows are bad; None if the container did not say."""

    code: str | None
    rows: tuple[RefusedRow, ...]
    has_more: bool | None


def parse(text: str, rows: int) -> Refusal:
    """The refusal of a request with so many `rows`. Parts that do not follow the format are ignored. Never raises."""
    document, listed, is_whole = _read(text)
    code = _text(document.get("code"))
    found = {refused.row: refused for entry in listed for refused in _entry(entry, rows)}
    if found:
        # A list that was cut off does not show whether further rows are bad.
        has_more = document.get("more") is True or not is_whole
        return Refusal(code, tuple(found[row] for row in sorted(found)), has_more)
    hint = _refused_row(document.get("row"), document.get("column"), code, rows)
    return Refusal(code, (hint,) if hint else (), None)


def _read(text: str) -> tuple[dict[str, Any], list[Any], bool]:
    """The object, its list of rows, and whether both are complete."""
    try:
        document = json.loads(text)
    # The text is an unknown container's: deeply nested JSON makes the parser raise RecursionError.
    except (ValueError, RecursionError):
        return *_read_cut_off(text), False
    if not isinstance(document, dict):
        return {}, [], True
    listed = document.get("rows")
    return document, listed if isinstance(listed, list) else [], True


def _read_cut_off(text: str) -> tuple[dict[str, Any], list[Any]]:
    """The object without its list, and the complete entries of the list."""
    start = _LIST.search(text)
    if start is None:
        return {}, []
    try:
        document = json.loads(text[: start.start()] + "}")
    except (ValueError, RecursionError):
        document = {}
    return document if isinstance(document, dict) else {}, list(_entries(text, start.end()))


def _entries(text: str, position: int) -> Iterator[Any]:
    decoder = json.JSONDecoder()
    while position < len(text):
        position = _BETWEEN.match(text, position).end()  # type: ignore[union-attr]  # the pattern also matches an empty string
        try:
            entry, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            return
        yield entry


def _entry(entry: Any, rows: int) -> Iterator[RefusedRow]:
    """`{"row": 3, "column": 5, "code": "…"}`, or `["…", 5, "3 1x2 4"]` for rows 3, 4, 5 and 9."""
    if isinstance(entry, dict):
        refused = _refused_row(entry.get("row"), entry.get("column"), _text(entry.get("code")), rows)
        if refused:
            yield refused
    elif isinstance(entry, list) and len(entry) == 3 and isinstance(entry[2], str):
        for row in _steps(entry[2], rows):
            yield RefusedRow(row, _number(entry[1], MAX_COLUMNS), _text(entry[0]))


def _steps(text: str, rows: int) -> Iterator[int]:
    """The rows of a list of distances, each from the row before, `x` repetitions; stops at the end of the request."""
    row = 0
    for word in text.split(" "):
        step = _STEP.fullmatch(word)
        for _ in range(int(step[2] or 1) if step else 0):
            row += int(step[1]) if step else 0
            if row > rows:
                return
            yield row


def _refused_row(row: Any, column: Any, code: str | None, rows: int) -> RefusedRow | None:
    place = _number(row, rows)
    return None if place is None else RefusedRow(place, _number(column, MAX_COLUMNS), code)


def _number(value: Any, maximum: int) -> int | None:
    # JSON's `true` is an `int` in Python.
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and 1 <= value <= maximum else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
