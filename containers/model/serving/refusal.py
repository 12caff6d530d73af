"""An answer other than scores: status, code, and where in the body the faults are. Never what is written there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

MAX_NAMED_ROWS = 1000
# SageMaker passes an error's body on as ModelError's OriginalMessage, at most 2,048 characters long, and once more
# within Message, with some 330 characters around it. A longer body may not arrive at all.
MAX_BODY_BYTES = 1600

_MESSAGES = {
    "NOT_A_NUMBER": "is not a number",
    "NOT_FINITE": "is infinite, or too large for a 32-bit float",
    "NOT_A_CATEGORY": "is categorical and takes its category's code, a whole number from 0",
}


@dataclass(frozen=True)
class Fault:
    """The first fault of one row; `row` and `column` count from 1 within the request's body."""

    row: int
    column: int | None
    code: str
    message: str


def cell_fault(row: int, column: int, code: str) -> Fault:
    return Fault(row, column, code, f"row {row}, column {column} {_MESSAGES[code]}")


@dataclass
class RefusalError(Exception):
    """`row` and `column` are those of the first fault, None where unknown. `faults` ascend by row.

    `has_more` says that rows behind the last named one are at fault too.
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
        """`faults` ascend by row, one a row."""
        first, named = faults[0], faults[:MAX_NAMED_ROWS]
        more = len(faults) > len(named)
        return cls(400, first.code, first.message, first.row, first.column, faults=named, has_more=more)

    def to_json(self) -> bytes:
        """As many of the rows as fit into MAX_BODY_BYTES."""
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
    """`[code, column, rows]` for each code and column, as `docs/model-container.md` describes them."""
    found: dict[tuple[str, int | None], list[int]] = {}
    for fault in faults:
        found.setdefault((fault.code, fault.column), []).append(fault.row)
    return [[code, column, _steps(rows)] for (code, column), rows in found.items()]


def _steps(rows: Sequence[int]) -> str:
    """The distance of each row from the one before it: rows 3, 4, 5 and 9 are `3 1x2 4`."""
    distances = (row - before for before, row in zip([0, *rows], rows, strict=False))
    runs = ((distance, sum(1 for _ in run)) for distance, run in groupby(distances))
    return " ".join(f"{distance}x{count}" if count > 1 else str(distance) for distance, count in runs)
