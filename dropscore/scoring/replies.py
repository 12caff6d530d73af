"""Checks an endpoint's reply: one line of finite numbers for each row of the request, all of the same length."""

from __future__ import annotations

import json
import math
import re
from functools import lru_cache
from typing import Any

from dropscore.errors import PermanentError
from dropscore.files.requests import Request

# Python's `float` also accepts `1_0`, tabs and line ends: with it, '{"predictions": ["0.1\n", "0.2"]}' would be three
# lines for two rows. The only grammar of a score, in text and in JSON: ASCII digits, no spaces, no underscores, no
# infinity. Possessive quantifiers never backtrack, so a check is one pass over the reply, whatever is in it.
_NUMBER = re.compile(rb"[+-]?+(?:\d++(?:\.\d*+)?+|\.\d++)(?:[eE][+-]?+\d++)?+")
# Numbers of the same grammar that are certainly finite: few digits, and an exponent of at most two.
_SHORT = rb"[+-]?+\d{1,99}+(?:\.\d{1,99}+)?+(?:[eE][+-]?+\d{1,2}+)?+"


def scores_of(reply: bytes, request: Request) -> bytes:
    """The scores of a request as one line a row, each line ended; the text of each number is kept as it came.

    The formats are: a line for each row, one comma-separated line, a JSON list of numbers or of lists of numbers (one
    for each row), such a list under `predictions`, and JSON lines. A row may have several numbers.
    Raises PermanentError BAD_RESPONSE for any other format and for a wrong number of rows.
    """
    if reply.lstrip()[:1] in (b"[", b"{"):
        return _checked(_json_rows(reply.strip(), request), request)
    text = _normalized(reply, request.rows)
    if _is_plain(text, request.rows):
        return text
    lines = text.split(b"\n")[:-1] if text != b"\n" else []
    return _checked([[cell.strip(b" ") for cell in line.split(b",")] for line in lines], request)


def _normalized(reply: bytes, rows: int) -> bytes:
    """The reply with LF line ends, also after the last line; scores that came in one line get a line each."""
    text = reply.replace(b"\r\n", b"\n") if b"\r" in reply else reply
    if text.endswith(b"\n\n") or not text.endswith(b"\n"):
        text = text.rstrip(b"\n") + b"\n"
    # One line for several rows is a score for each. One line for one row may be several scores of that row.
    return text.replace(b",", b"\n") if rows != 1 and text.count(b"\n") == 1 else text


def _checked(rows: list[list[bytes]], request: Request) -> bytes:
    """The cells of each row as lines. Checks all cells at once; only if that is not enough, one by one."""
    text = b"".join([b",".join(cells) + b"\n" for cells in rows])
    commas = sum(map(len, rows)) - len(rows)  # a cell with a comma or a line end in it is not a number
    if len(rows) == request.rows and text.count(b",") == commas and _is_plain(text, request.rows):
        return text
    if len(rows) != request.rows:
        raise _bad(request, f"the reply has {len(rows)} scores for {request.rows} rows")
    if not all(_is_score(cell) for cells in rows for cell in cells):
        raise _bad(request, "a score is not a finite number")
    if len({len(cells) for cells in rows}) > 1:
        raise _bad(request, "the rows have different numbers of scores")
    return text


def _is_plain(text: bytes, rows: int) -> bool:
    """Whether these are `rows` lines with as many short numbers as the first, and nothing else: the usual reply."""
    if text.count(b"\n") != rows or not rows:
        return False
    return _plain_lines(text.count(b",", 0, text.index(b"\n"))).fullmatch(text) is not None


@lru_cache(maxsize=8)
def _plain_lines(commas: int) -> re.Pattern[bytes]:
    more = b"(?:,%b){%d}+" % (_SHORT, commas) if commas else b""
    return re.compile(b"(?:%b%b\n)++" % (_SHORT, more))


def _json_rows(reply: bytes, request: Request) -> list[list[bytes]]:
    """The cells of each row, not yet checked."""
    values = [_parsed(document, request) for document in _documents(reply)]
    if len(values) == 1:
        value = values[0]
        value = value["predictions"] if isinstance(value, dict) and "predictions" in value else value
        values = value if isinstance(value, list) else [value]
    return [_cells(value) for value in values]


def _documents(reply: bytes) -> list[bytes]:
    """The whole reply, or its lines if every line is a JSON document."""
    lines = reply.split(b"\n")
    # A document that is printed on several lines stays whole: some of its lines begin or end with other characters.
    ended = (line.strip()[-1:] in (b"]", b"}") for line in lines)
    return lines if len(lines) > 1 and all(line[:1] in (b"[", b"{") for line in lines) and all(ended) else [reply]


def _parsed(document: bytes, request: Request) -> Any:
    """Reads numbers as text, so that none is rounded and none is too large."""
    try:
        text = document.decode()  # json.loads guesses the encoding of bytes
        return json.loads(text, parse_float=str, parse_int=str, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise _bad(request, "the reply starts like JSON but is not valid JSON") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Raises ValueError if a name occurs twice, because either value may be the right one."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _cells(value: Any) -> list[bytes]:
    """One row's scores as text; a value that is neither number nor string becomes text that is not a number."""
    if isinstance(value, dict):
        value = list(value.values())
    # An empty list is not a score: it stays one value, becomes `?`, and is refused.
    cells = value if isinstance(value, list) and value else [value]
    # A JSON string may contain half a surrogate pair, which UTF-8 cannot encode.
    return [cell.encode(errors="replace") if isinstance(cell, str) else b"?" for cell in cells]


def _is_score(cell: bytes) -> bool:
    return _NUMBER.fullmatch(cell) is not None and math.isfinite(float(cell))


def _bad(request: Request, problem: str) -> PermanentError:
    return PermanentError(
        "BAD_RESPONSE",
        f"{problem}; nothing was published. Check that the model container returns text/csv with one line for each row",
        rows=(request.first_row, request.last_row),
        offset=request.offset,
    )
