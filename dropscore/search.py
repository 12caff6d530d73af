"""Which rows of a body are bad: found out by asking for parts of it, in few requests where the model names them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, chain, pairwise
from typing import NamedTuple

from dropscore.errors import RejectedError, RowFault, RowsRefusedError
from dropscore.lines import Body, row_ends, too_large
from dropscore.places import Column

SPARSE = 4  # a rest so many times as long as the rows that named it full will be refused often: it is halved at once


class Explained(NamedTuple):
    """Why a row is refused, in words for whoever made the file; `column` is the file's."""

    code: str
    reason: str
    column: Column | None


Explain = Callable[[bytes, RowFault], Explained]
"""Of the row as it stands in the file, and what the model said of it."""


def as_said(_row: bytes, fault: RowFault) -> Explained:
    """For a file whose rows are sent as they stand."""
    return Explained(fault.code, fault.reason, None if fault.column is None else Column(fault.column))


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of a body in their order, as one request. `places` count from 0 in the body."""

    body: Body
    places: Sequence[int]
    is_named: bool = False
    """The model said of just these rows that they are bad."""

    @property
    def span(self) -> tuple[int, int]:
        """The first and the last row, as the file numbers them."""
        before = self.body.first_row - self.places[0]
        return self.places[0] + before, self.places[-1] + before


class Search:
    """The parts of one body that are still to be asked for, and what is known of its rows.

    What the model says of its rows is only a hint. A row is good once a request with it was answered, and bad once
    every row of a request with it was refused by name, or it was refused alone. A model that named a good row is not
    believed again.
    """

    def __init__(self, body: Body, explain: Explain = as_said) -> None:
        self._explain = explain
        self.refusals = 0
        self.bad: dict[int, RowFault] = {}
        self._body = body
        self._is_believed = True
        self._scores: list[bytes] = []
        self._lines: bytes | None = None
        self._parts = [Part(body, range(body.rows))] if body.rows else []

    @property
    def lines(self) -> bytes:
        """A line of scores for each row, that of a bad row empty; once no part is left."""
        if self._lines is not None:
            return self._lines
        return b"".join([score + b"\n" for score in self._scores])

    def next_part(self) -> Part | None:
        return self._parts.pop() if self._parts else None

    def answered(self, part: Part, lines: bytes) -> None:
        if part.body is self._body:
            self._lines = lines
            return
        self._is_believed &= not part.is_named
        for place, line in zip(part.places, lines.split(b"\n")[:-1], strict=True):
            self._scores[place] = line

    def halve(self, part: Part) -> None:
        """Asks for the part in two. Raises RowTooLargeError for a part of one row."""
        if len(part.places) == 1:
            row = part.body
            raise too_large(row.first_row, row.first_row_offset, len(row.data) - 1, row.first_row_line) from None
        self._ask_for(*_halves(part.places))

    def refused(self, part: Part, refusal: RowsRefusedError, *, is_row_a_line: bool = True) -> None:
        """Notes the rows as bad, or asks for smaller parts: the rows that were named first, they are soon sent.

        `is_row_a_line`: each row of the request is one line. If not, a container that counts lines names other rows
        than it means. Its names then only say where to look, and a row is bad once it was refused alone.
        """
        self.refusals += 1
        rows = len(part.places)
        faults = refusal.faults if self._is_believed or len(refusal.faults) == rows else ()
        if rows == 1:
            faults = faults or [RowFault(0, refusal.code, refusal.reason)]
        if len(faults) == rows and (is_row_a_line or rows == 1):
            self._split()
            self.bad |= dict(zip(part.places, faults, strict=True))
        elif faults and len(faults) < rows:
            has_more = bool(self.bad) if refusal.has_more is None else refusal.has_more
            self._follow(part.places, [fault.place for fault in faults], has_more=has_more)
        else:
            self._ask_for(*_halves(part.places))

    def error(self, place: int) -> RowsRefusedError:
        """Why this bad row is refused."""
        row = self._part([place]).body
        why = self._explain(row.data, self.bad[place])
        return RowsRefusedError(
            why.code,
            f"the model refuses this: {why.reason}; correct the file and upload it again",
            rows=(row.first_row, row.first_row),
            offset=row.first_row_offset,
            line=row.first_row_line,
            reason=why.reason,
            column=why.column,
        )

    def gave_up(self) -> RejectedError:
        """The error of a body whose bad rows take too many requests."""
        return RejectedError(
            "TOO_MANY_REQUESTS",
            f"finding the bad rows takes too many requests: of these rows {self.refusals} were refused, which found "
            f"{len(self.bad)} bad rows. Correct the file and upload it again, or let the model container name all bad "
            "rows of a request (`rows` in docs/model-container.md); max_bad_rows = 0 stops at the first",
            rows=(self._body.first_row, self._body.last_row),
            offset=self._body.first_row_offset,
            line=self._body.first_row_line,
        )

    def _follow(self, places: Sequence[int], named: list[int], *, has_more: bool) -> None:
        """The named rows together, and the others: those up to the last named one apart where more may be bad."""
        chosen = set(named)
        others = [place for index, place in enumerate(places) if index not in chosen]
        end = named[-1] + 1 - len(named) if has_more else len(others)
        before, after = others[:end], others[end:]
        rest = _halves(after) if len(after) > SPARSE * (named[-1] + 1) else (after,)
        self._ask_for(before, *rest)
        self._ask_for([places[index] for index in named], is_named=True)

    def _ask_for(self, *parts: Sequence[int], is_named: bool = False) -> None:
        self._split()
        made = [replace(self._part(places), is_named=is_named) for places in parts if places]
        self._parts += reversed(made)

    def _part(self, places: Sequence[int]) -> Part:
        data = b"".join([self._rows[place] for place in places])
        first = places[0]
        body = replace(
            self._body,
            data=data,
            rows=len(places),
            first_row=self._body.first_row + first,
            offset=self._body.offset + self._starts[first],
            line=self._body.line + self._lines_before[first],
        )
        return Part(body, places)

    def _split(self) -> None:
        self._scores = self._scores or [b""] * self._body.rows

    @cached_property
    def _starts(self) -> list[int]:
        return list(accumulate(map(len, self._rows), initial=0))

    @cached_property
    def _lines_before(self) -> list[int]:
        return list(accumulate((row.count(b"\n") for row in self._rows), initial=0))

    @cached_property
    def _rows(self) -> list[bytes]:
        """Each with the blank lines before it, so that together they are the body."""
        data = self._body.data
        return [data[start:end] for start, end in pairwise(chain((0,), row_ends(data, self._body.dialect)))]


def _halves(places: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
    middle = len(places) // 2
    return places[:middle], places[middle:]
