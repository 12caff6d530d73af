"""What an endpoint answers, checked: as many scores as rows, every one a finite number."""

from __future__ import annotations

import json
import math
from typing import Any

from dropscore.errors import PermanentError
from dropscore.lines import Body


def scores_of(reply: bytes, body: Body) -> bytes:
    """The scores of a body as one line a row, each line ended; the text of each number is kept as it came.

    Understood are: a line a row, one comma-joined line, a JSON list of numbers or of lists of numbers (one a row), such
    a list under `predictions`, and JSON lines. Several numbers a row are several outputs.
    """
    lines = _lines(reply.strip(), body)
    if len(lines) != body.rows:
        raise _bad(body, f"{len(lines)} scores came back for {body.rows} rows")
    if not all(_is_score(line) for line in lines):
        raise _bad(body, "a score is not a finite number")
    return b"\n".join(lines) + b"\n"


def _lines(reply: bytes, body: Body) -> list[bytes]:
    if reply[:1] in (b"[", b"{"):
        return _json_lines(reply, body)
    lines = [line.strip() for line in reply.split(b"\n")] if reply else []
    if len(lines) == 1 != body.rows:
        return [score.strip() for score in lines[0].split(b",")]
    return lines


def _json_lines(reply: bytes, body: Body) -> list[bytes]:
    """Numbers are read as text, so that none is rounded."""
    try:
        values = [json.loads(line, parse_float=str, parse_int=str) for line in _documents(reply)]
    except ValueError:
        raise _bad(body, "the reply begins like JSON and is none") from None
    if len(values) == 1:
        value = values[0].get("predictions") if isinstance(values[0], dict) else values[0]
        values = value if isinstance(value, list) else [value]
    return [_joined(value) for value in values]


def _documents(reply: bytes) -> list[bytes]:
    """The whole reply, or each line of it where every line is a document of its own."""
    lines = reply.split(b"\n")
    ended = (line.strip()[-1:] in (b"]", b"}") for line in lines)
    return lines if len(lines) > 1 and all(line[:1] in (b"[", b"{") for line in lines) and all(ended) else [reply]


def _joined(value: Any) -> bytes:
    """One row's scores as text; what is no number becomes text that is none."""
    if isinstance(value, dict):
        value = list(value.values())
    cells = value if isinstance(value, list) else [value]
    return ",".join(cell if isinstance(cell, str) else "?" for cell in cells).encode()


def _is_score(line: bytes) -> bool:
    try:
        return all(math.isfinite(float(number)) for number in line.split(b","))
    except ValueError:
        return False


def _bad(body: Body, what: str) -> PermanentError:
    return PermanentError(
        "BAD_RESPONSE",
        f"{what}; nothing was published. Check that the model container answers text/csv with one line a row",
        rows=(body.first_row, body.last_row),
        offset=body.offset,
    )
