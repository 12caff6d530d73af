"""Sample rows to score: from a file, or generated for a model's columns."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dropscore.errors import ConfigurationError
from model_tools.artifact import Manifest

MOST_ROWS = 1000
CANARY = b"dropscore-canary-58213"
"""A cell that is not a number and that occurs nowhere else."""


@dataclass(frozen=True, slots=True)
class Sample:
    rows: tuple[bytes, ...]
    """Without line ends."""

    @classmethod
    def read(cls, file: Path) -> Sample:
        """Read at most MOST_ROWS rows. Raises ConfigurationError if there is none."""
        rows = [line for line in file.read_bytes().splitlines() if line.strip()]
        if not rows:
            raise ConfigurationError(f"{file} has no rows; pass a CSV with some rows that the model can score")
        return cls(tuple(rows[:MOST_ROWS]))

    @classmethod
    def for_model(cls, manifest: Manifest) -> Sample:
        """Generate numbers of several magnitudes, so that rows go both ways at a split; 0 or 1 for a category."""
        generator = random.Random(58213)

        def cell(column: int) -> str:
            if column in manifest.categorical:
                return str(generator.randrange(2))
            return f"{generator.gauss(0, 10 ** generator.randrange(-1, 4)):.6g}"

        columns = range(1, manifest.features + 1)
        return cls(tuple(",".join(map(cell, columns)).encode() for _ in range(200)))

    def some(self, count: int, start: int = 0) -> list[bytes]:
        """Return `count` rows from row `start` on, repeated if there are fewer."""
        return [self.rows[(start + index) % len(self.rows)] for index in range(count)]

    def of_size(self, size: int) -> tuple[bytes, int]:
        """Return a request of as many rows as fit into `size` bytes, at least one, and their number."""
        block = body(self.rows)
        whole, left = divmod(size, len(block))
        count, used = whole * len(self.rows), 0
        rest: list[bytes] = []
        for row in self.rows:
            used += len(row) + 1
            if used > left and (count or rest):
                break
            rest.append(row)
        return block * whole + body(rest), count + len(rest)

    def poisoned(self, count: int, bad: int) -> bytes:
        """Return a request of `count` rows; in row `bad`, counted from 1, the canary replaces the last cell."""
        rows = self.some(count)
        rows[bad - 1] = b",".join([*rows[bad - 1].split(b",")[:-1], CANARY])
        return body(rows)

    @property
    def columns(self) -> int:
        return self.rows[0].count(b",") + 1


def body(rows: Sequence[bytes]) -> bytes:
    """Return the rows as a request."""
    return b"".join(row + b"\n" for row in rows)
