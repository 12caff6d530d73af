"""What an endpoint answers, checked: as many scores as rows, every one a finite number."""

from __future__ import annotations

import math

from dropscore.errors import PermanentError
from dropscore.lines import Body


def scores_of(reply: bytes, body: Body) -> bytes:
    """The scores of a body as one line a row, each line ended; the text of each number is kept as it came.

    Newline-joined replies (several numbers a line for several outputs) and one comma-joined line are understood.
    """
    lines = [line.strip() for line in reply.strip().split(b"\n")]
    if len(lines) == 1 != body.rows:
        lines = [score.strip() for score in lines[0].split(b",")]
    if len(lines) != body.rows or not reply.strip():
        count = len(lines) if reply.strip() else 0
        raise _bad(body, f"{count} scores came back for {body.rows} rows")
    if not all(_is_score(line) for line in lines):
        raise _bad(body, "a score is not a finite number")
    return b"\n".join(lines) + b"\n"


def _is_score(line: bytes) -> bool:
    try:
        return all(math.isfinite(float(number)) for number in line.split(b","))
    except ValueError:
        return False


def _bad(body: Body, what: str) -> PermanentError:
    return PermanentError(
        "BAD_RESPONSE",
        f"rows {body.first_row} to {body.last_row}: {what}; nothing was published. "
        "Check that the model container answers text/csv with one line a row",
    )
