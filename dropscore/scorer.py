"""Bodies → endpoint → scores: several in flight, results in order, large bodies halved, bad rows isolated."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace

from dropscore.errors import BodyTooLargeError, BusyError, RowsRefusedError, RowTooLargeError
from dropscore.lines import Body, Limit, too_large
from dropscore.pace import Budget, Pace, Retry
from dropscore.scores import scores_of

Invoke = Callable[[Body], bytes]

# One bad row is found soonest by the name it is called by; of many, halving sends the rest of the body less often.
HINTS = 4
LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that the model refused. Its number and byte offset in the file, never what is in it."""

    row: int
    offset: int
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Scored:
    """The rows as they stand in the file, and a line of scores for each of them, ended; that of a bad row is empty."""

    data: bytes
    lines: bytes
    rows: int
    bad: tuple[BadRow, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Scorer:
    """Scores bodies with one endpoint. `payload` makes a request of rows, one line of it for each row.

    More than `most_bad_rows` in one body raise RowsRefusedError.
    """

    invoke: Invoke
    limit: Limit
    in_flight: int
    payload: Callable[[bytes], bytes] = bytes
    most_bad_rows: int = 0
    meanwhile: Callable[[BusyError | None], None] = lambda _: None
    """Called every second or so that no answer comes, with what the endpoint said if it is busy; may raise."""
    retry: Retry = field(default_factory=Retry)
    budget: Budget = field(default_factory=Budget)

    def score(self, bodies: Iterable[Body]) -> Iterator[Scored]:
        """The scores in the order of the rows, a body at a time.

        At most `in_flight` bodies are held; how many of them are asked for at one time follows `Pace`. The first error
        in the order of the rows ends it; what was not sent by then is dropped.
        """
        pace = Pace(self.in_flight)
        window: deque[Future[Scored]] = deque()
        errors: list[RowTooLargeError] = []
        pool = ThreadPoolExecutor(self.in_flight, thread_name_prefix="invoke")
        try:
            for body in _up_to_error(bodies, errors):
                while window and (len(window) == self.in_flight or _unanswered(window) >= pace.size):
                    yield self._next(window, pace)
                window.append(pool.submit(self._score, body, pace))
            while window:
                yield self._next(window, pace)
            if errors:
                raise errors[0]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _next(self, window: deque[Future[Scored]], pace: Pace) -> Scored:
        while not wait([window[0]], timeout=LOOK_SECONDS).done:
            self.meanwhile(pace.waiting_for)
        return window.popleft().result()

    def _score(self, body: Body, pace: Pace) -> Scored:
        """The body's scores, in as many requests as it takes; the parts of it are asked for one after the other."""
        lines: list[bytes] = []
        bad: list[BadRow] = []
        parts = [body] if body.rows else []
        while parts:
            part = parts.pop()
            sent = replace(part, data=self.payload(part.data))
            if len(sent.data) > self.limit.most:  # a request may come out longer than the rows that it is made of
                parts += reversed(_halves(part))
                continue
            try:
                lines.append(scores_of(self._ask(sent, pace), sent))
            except BodyTooLargeError:
                self.limit.refused(len(part.data))
                parts += reversed(_halves(part))
            except RowsRefusedError as refusal:
                if part.rows > 1:
                    parts += reversed(_suspects(part, refusal, is_worth_a_hint=len(bad) < HINTS))
                elif len(bad) == self.most_bad_rows:
                    raise
                else:
                    bad.append(BadRow(part.first_row, part.first_row_offset, refusal.code, refusal.reason))
                    lines.append(b"\n")
        return Scored(body.data, b"".join(lines), body.rows, tuple(bad))

    def _ask(self, sent: Body, pace: Pace) -> bytes:
        return self.retry(lambda: self.invoke(sent), len(sent.data), pace, self.budget)


def _halves(body: Body) -> tuple[Body, ...]:
    if body.rows == 1:
        raise too_large(body.first_row, body.first_row_offset, len(body.data) - 1) from None
    return body.halves()


def _up_to_error(bodies: Iterable[Body], errors: list[RowTooLargeError]) -> Iterator[Body]:
    """The bodies before a row that is too large; the error is kept for when all before it has been heard."""
    try:
        yield from bodies
    except RowTooLargeError as error:
        errors.append(error)


def _suspects(body: Body, refusal: RowsRefusedError, *, is_worth_a_hint: bool) -> tuple[Body, ...]:
    """The body in smaller parts: the row that the model named gets a body of its own, else there are two halves.

    The model's word is only a hint: whether the row is bad shows when it is sent alone.
    """
    if refusal.is_named and refusal.rows and is_worth_a_hint:
        return body.around(refusal.rows[0])
    return body.halves()


def _unanswered(window: Iterable[Future[Scored]]) -> int:
    return sum(not future.done() for future in window)
