"""The scored files: rows with a canary, and the events of their uploads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.faults.cloud import BUCKET, object_created

CANARY = b"canary7391"  # in every row; it must not appear in logs or the table


@dataclass(frozen=True)
class Upload:
    key: str
    data: bytes
    version_id: str

    @property
    def identity(self) -> dict[str, str]:
        return {"bucket": BUCKET, "key": self.key, "version_id": self.version_id}

    @property
    def event(self) -> dict[str, Any]:
        return object_created(self.key, self.version_id, len(self.data))


def rows(count: int, *, poison: int | None = None) -> bytes:
    """This many rows, numbered from 1; the model refuses row `poison`."""
    cells = (b"poison" if number == poison else b"%d" % number for number in range(1, count + 1))
    return b"".join(b"%s,%s\n" % (CANARY, cell) for cell in cells)
