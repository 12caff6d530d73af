"""An answer other than scores: status, code, and where in the body the fault is. Never what is written there."""

from __future__ import annotations

import json
from dataclasses import dataclass, field


@dataclass
class RefusalError(Exception):
    """`row` and `column` are 1-based within the body, None where unknown."""

    status: int
    code: str
    message: str
    row: int | None = None
    column: int | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> bytes:
        fields = {"code": self.code, "row": self.row, "column": self.column, "message": self.message}
        return json.dumps({name: value for name, value in fields.items() if value is not None}).encode() + b"\n"
