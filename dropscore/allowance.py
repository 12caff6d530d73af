"""How many rows of a file may be bad before the file is: `max_bad_rows` of its route."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from dropscore.errors import ConfigurationError, RejectedError
from dropscore.scorer import BadRow, Scored

HOPELESS_ROWS = 1000  # so many bad rows, and most rows bad: a percentage need not wait for the end of the file
NO_LIMIT = 1 << 62


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """`rows` bad rows, or `percent` of all the file's rows."""

    rows: int | None = None
    percent: float = 0.0

    @classmethod
    def parse(cls, text: str | int) -> Allowance:
        """`0`, `25` or `"0.5%"`."""
        said = re.fullmatch(r"(\d+)|(\d+(?:\.\d+)?)%", str(text))
        if said is None or float(said[2] or 0) > 100:
            raise ConfigurationError(
                f"max_bad_rows is {text!r}; write a number of rows, or a percentage such as '0.5%'"
            )
        return cls(rows=int(said[1])) if said[1] else cls(percent=float(said[2]))

    @property
    def most_in_a_body(self) -> int:
        return NO_LIMIT if self.rows is None else self.rows

    def __str__(self) -> str:
        return f"{self.percent:g}%" if self.rows is None else str(self.rows)


@dataclass
class Borne:
    """Watches scores go by and raises RejectedError once more rows are bad than the allowance has."""

    allowance: Allowance
    rows: int = 0
    bad: list[BadRow] = field(default_factory=list)

    def watch(self, scores: Iterator[Scored]) -> Iterator[Scored]:
        for scored in scores:
            self.rows += scored.rows
            self.bad += scored.bad
            self._check(is_end=False)
            yield scored
        self._check(is_end=True)

    def _check(self, *, is_end: bool) -> None:
        most, count = self.allowance.rows, len(self.bad)
        if most is not None:
            is_over = count > most
        elif is_end:
            is_over = count * 100 > self.allowance.percent * self.rows
        else:
            is_over = count >= HOPELESS_ROWS and count * 100 > max(self.allowance.percent, 50) * self.rows
        if is_over:
            first = self.bad[0]
            raise RejectedError(
                first.code,
                f"row {first.row} (at byte {first.offset}): the model refuses it: {first.reason}. It is the first of "
                f"{count} bad rows in {self.rows} rows looked at, and max_bad_rows of the route is {self.allowance}; "
                "mend the file and upload it again, or allow more",
            )


def errors_csv(bad: list[BadRow]) -> bytes:
    """One line for each bad row: where it is and why it is bad. Never what is in it."""
    lines = [f'{row.row},{row.offset},{row.code},"{row.reason}"' for row in bad]
    return "\n".join(["row,offset,code,reason", *lines, ""]).encode()
