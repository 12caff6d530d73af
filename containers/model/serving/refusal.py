"""A refusal: status, code, and the positions of the faults in the request. Never the content of a cell."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

MAX_NAMED_ROWS = 1000
# SageMaker passes an error reply on as ModelError's OriginalMessage, at most 2,048 characters long, and again within
# Message, with some 330 characters around it. A longer reply may be lost.
MAX_BODY_BYTES = 1600

_MESSAGES = {
    "NOT_A_NUMBER": "is not a number",
    "NOT_FINITE": "is infinite, or too large for a 32-bit float",
    "NOT_A_CATEGORY": "is categorical and must be its category's code, a whole number from 0",
}


@dataclass(frozen=True)
class Fault:
    """The first fault of one row; `row` and `column` count from 1 within the request."""

    row: int
    column: int | None
    code: str
    message: str


def cell_fault(row: int, column: int, code: str) -> Fault:
    return Fault(row, column, code, f"row {row}, column {column} {_MESSAGES[code]}")


@dataclass
class RefusalError(Exception):
    """`row` and `column` are those of the first fault, or None. `faults` are sorted by row.

    `has_more` means that rows after the last named one are bad too. `closes` means that the connection ends.
    """

    status: int
    code: str
    message: str
    row: int | None = None
    column: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    faults: Sequence[Fault] = ()
    has_more: bool = False
    closes: bool = False

    @classmethod
    def of_rows(cls, faults: Sequence[Fault]) -> RefusalError:
        """Refuse a request for its bad rows. `faults` are sorted by row, one per row."""
        first, named = faults[0], faults[:MAX_NAMED_ROWS]
        more = len(faults) > len(named)
        return cls(400, first.code, first.message, first.row, first.column, faults=named, has_more=more)

    def to_json(self) -> bytes:
        """Return the reply, which names as many rows as fit into MAX_BODY_BYTES."""
        # By halves, because only an encoded reply shows its size.
        low, high = min(1, len(self.faults)), len(self.faults)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if len(self._naming(middle)) <= MAX_BODY_BYTES else (low, middle - 1)
        return self._naming(low)

    def _naming(self, count: int) -> bytes:
        fields: dict[str, object] = {"code": self.code, "row": self.row, "column": self.column, "message": self.message}
        fields = {name: value for name, value in fields.items() if value is not None}
        if count:
            fields |= {"rows": _groups(self.faults[:count])}
        if count < len(self.faults) or self.has_more:
            fields |= {"more": True}
        return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def _groups(faults: Iterable[Fault]) -> list[list[object]]:
    """Return `[code, column, rows]` for each code and column, as `docs/model-container.md` describes."""
    found: dict[tuple[str, int | None], list[int]] = {}
    for fault in faults:
        found.setdefault((fault.code, fault.column), []).append(fault.row)
    return [[code, column, _steps(rows)] for (code, column), rows in found.items()]


def _steps(rows: Sequence[int]) -> str:
    """Encode rows as the distance of each from the one before it: rows 3, 4, 5 and 9 are `3 1x2 4`."""
    distances = (row - before for before, row in zip([0, *rows], rows, strict=False))
    runs = ((distance, sum(1 for _ in run)) for distance, run in groupby(distances))
    return " ".join(f"{distance}x{count}" if count > 1 else str(distance) for distance, count in runs)
