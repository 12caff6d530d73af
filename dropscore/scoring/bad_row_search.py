"""Finds the bad rows of a request by sending parts of it; few requests are enough if the model names the rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, chain, pairwise
from typing import NamedTuple

from dropscore.errors import PermanentError, RejectedError, RowFault, RowsRefusedError
from dropscore.files.requests import Request, row_ends, too_large
from dropscore.position import Column

SPARSE = 4  # rows after the last named one are halved at once if they are so many times as long: a refusal is likely


class Explained(NamedTuple):
    """Why a row is refused, in words for the person with the file; `column` is the column of the file."""

    code: str
    reason: str
    column: Column | None


Explain = Callable[[bytes, RowFault], Explained]
"""Explains a row, as it is in the file, from the fault that the model reported."""


def as_reported(_row: bytes, fault: RowFault) -> Explained:
    """For a file whose rows are sent unchanged."""
    return Explained(fault.code, fault.reason, None if fault.column is None else Column(fault.column))


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of a request in their order, as one request. `places` count from 0 in the request."""

    request: Request
    places: Sequence[int]
    is_named: bool = False
    """Whether the model named exactly these rows as bad."""

    @property
    def span(self) -> tuple[int, int]:
        """The first and the last row, as the file numbers them."""
        before = self.request.first_row - self.places[0]
        return self.places[0] + before, self.places[-1] + before


class Search:
    """The parts of one request that are still to be sent, and the results for its rows.

    The rows that a model names are only a hint. A row is good once a request with it was scored. It is bad once it was
    refused alone, or once the model named every row of a request with it. If a model names a good row, its hints are
    ignored from then on.
    """

    def __init__(self, request: Request, explain: Explain = as_reported) -> None:
        self._explain = explain
        self.refusals = 0
        self.bad: dict[int, RowFault] = {}
        self._request = request
        self._is_trusted = True
        self._scores: list[bytes] = []
        self._columns: int | None = None
        self._lines: bytes | None = None
        self._parts = [Part(request, range(request.rows))] if request.rows else []

    @property
    def lines(self) -> bytes:
        """A line of scores for each row, empty for a bad row. Valid once no part is left."""
        if self._lines is not None:
            return self._lines
        return b"".join([score + b"\n" for score in self._scores])

    def next_part(self) -> Part | None:
        return self._parts.pop() if self._parts else None

    def scored(self, part: Part, lines: bytes) -> None:
        # The usual case, a request without bad rows: the reply is kept as it is, and no row is split off.
        if part.request is self._request:
            self._lines = lines
            return
        # replies.py compares the rows of one reply; here a request's rows come from several.
        columns = lines.partition(b"\n")[0].count(b",") + 1
        if self._columns not in (None, columns):
            raise PermanentError(
                "BAD_RESPONSE",
                f"the model returned {columns} scores for a row, {self._columns} are expected; nothing was published. "
                "Check that the model returns the same number of scores for each row",
            )
        self._columns = columns
        # The model named these rows as bad, but scored them now: its names do not fit the rows that it was sent.
        self._is_trusted &= not part.is_named
        for place, line in zip(part.places, lines.split(b"\n")[:-1], strict=True):
            self._scores[place] = line

    def halve(self, part: Part) -> None:
        """Queues the two halves of the part. Raises RowTooLargeError for a part of one row."""
        if len(part.places) == 1:
            row = part.request
            raise too_large(row.first_row, row.first_row_offset, len(row.data) - 1, row.first_row_line) from None
        self._queue(*_halves(part.places))

    def refused(self, part: Part, refusal: RowsRefusedError, *, is_row_a_line: bool = True) -> None:
        """Marks the rows as bad, or queues smaller parts: first the rows that the model named.

        `is_row_a_line`: each row of the request is one line. If not, a container that counts lines names other rows
        than it means. Its names then only show where to look, and a row is bad after it was refused alone.
        """
        self.refusals += 1
        rows = len(part.places)
        # If every row is named, there is nothing left to find out, even if earlier names were wrong.
        faults = refusal.faults if self._is_trusted or len(refusal.faults) == rows else ()
        if rows == 1:
            faults = faults or [RowFault(0, refusal.code, refusal.reason)]
        if len(faults) == rows and (is_row_a_line or rows == 1):
            self._split()
            self.bad |= dict(zip(part.places, faults, strict=True))
        elif faults and len(faults) < rows:
            # If the container does not say, expect more bad rows only after this request has shown one.
            has_more = bool(self.bad) if refusal.has_more is None else refusal.has_more
            self._follow(part.places, [fault.place for fault in faults], has_more=has_more)
        else:
            self._queue(*_halves(part.places))

    def error(self, place: int) -> RowsRefusedError:
        """Why this bad row is refused."""
        row = self._part([place]).request
        why = self._explain(row.data, self.bad[place])
        return RowsRefusedError(
            why.code,
            f"the model refused it: {why.reason}; correct the file and upload it again",
            rows=(row.first_row, row.first_row),
            offset=row.first_row_offset,
            line=row.first_row_line,
            reason=why.reason,
            column=why.column,
        )

    def gave_up(self) -> RejectedError:
        """The error of a request whose bad rows take too many requests."""
        return RejectedError(
            "TOO_MANY_REQUESTS",
            f"finding the bad rows takes too many requests: {self.refusals} requests with these rows were refused, "
            f"which found {len(self.bad)} bad rows. Correct the file and upload it again, or let the model container "
            "name all bad rows of a request (`rows` in docs/model-container.md); max_bad_rows = 0 stops at the first",
            rows=(self._request.first_row, self._request.last_row),
            offset=self._request.first_row_offset,
            line=self._request.first_row_line,
        )

    def _follow(self, places: Sequence[int], named: list[int], *, has_more: bool) -> None:
        """Queues the named rows together, then the others; those up to the last named row apart if more may be bad."""
        chosen = set(named)
        others = [place for index, place in enumerate(places) if index not in chosen]
        # A list is complete up to its last row (docs/model-container.md): the unnamed rows before it are probably good.
        end = named[-1] + 1 - len(named) if has_more else len(others)
        before, after = others[:end], others[end:]
        rest = _halves(after) if len(after) > SPARSE * (named[-1] + 1) else (after,)
        self._queue(before, *rest)
        # Queued last, so sent first: the reply decides whether the model's names are used from then on.
        self._queue([places[index] for index in named], is_named=True)

    def _queue(self, *parts: Sequence[int], is_named: bool = False) -> None:
        self._split()
        made = [replace(self._part(places), is_named=is_named) for places in parts if places]
        # A stack, so that the first of these parts is searched to its end before the second is sent.
        self._parts += reversed(made)

    def _part(self, places: Sequence[int]) -> Part:
        data = b"".join([self._rows[place] for place in places])
        first = places[0]
        request = replace(
            self._request,
            data=data,
            rows=len(places),
            first_row=self._request.first_row + first,
            offset=self._request.offset + self._starts[first],
            line=self._request.line + self._lines_before[first],
        )
        return Part(request, places)

    def _split(self) -> None:
        self._scores = self._scores or [b""] * self._request.rows

    @cached_property
    def _starts(self) -> list[int]:
        return list(accumulate(map(len, self._rows), initial=0))

    @cached_property
    def _lines_before(self) -> list[int]:
        return list(accumulate((row.count(b"\n") for row in self._rows), initial=0))

    @cached_property
    def _rows(self) -> list[bytes]:
        """The rows, each with the blank lines before it, so that together they are the request."""
        data = self._request.data
        return [data[start:end] for start, end in pairwise(chain((0,), row_ends(data, self._request.dialect)))]


def _halves(places: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
    middle = len(places) // 2
    return places[:middle], places[middle:]
