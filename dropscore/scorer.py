"""Bodies → endpoint → scores: several in flight, results in order, large bodies halved, bad rows isolated."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace

from dropscore.errors import (
    BodyTooLargeError,
    BusyError,
    JobError,
    RowsRefusedError,
    RowTooLargeError,
    StrayQuoteError,
)
from dropscore.lines import Body, Limit
from dropscore.pace import Budget, Pace, Retry
from dropscore.places import Column
from dropscore.scores import scores_of
from dropscore.search import Explain, Search, as_said

Invoke = Callable[[Body], bytes]
UncertainError = RowTooLargeError | StrayQuoteError

MOST_REFUSALS = 1000  # of the requests for one body; a model that names its bad rows needs a few dozen
LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that the model refused: its number, byte offset and line in the file, never what is in it.

    `column` is where the cell at fault stands in the file, None where that is not known.
    """

    row: int
    offset: int
    code: str
    reason: str
    line: int | None = None
    column: Column | None = None


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

    More than `most_bad_rows` in one body raise RowsRefusedError; a search for them that takes too many requests raises
    RejectedError TOO_MANY_REQUESTS.
    """

    invoke: Invoke
    limit: Limit
    in_flight: int
    payload: Callable[[bytes], bytes] = bytes
    explain: Explain = as_said
    most_bad_rows: int = 0
    meanwhile: Callable[[BusyError | None], None] = lambda _: None
    """Called every second or so that no answer comes, with what the endpoint said if it is busy; may raise."""
    retry: Retry = field(default_factory=Retry)
    budget: Budget = field(default_factory=Budget)
    most_refusals: int = MOST_REFUSALS
    effort: Budget = field(default_factory=lambda: Budget(most=10_000, cost=1, gain=100))
    """Requests that may be refused in all while bad rows are looked for: 10,000 and, for each body, 100 more."""

    def score(self, bodies: Iterable[Body]) -> Iterator[Scored]:
        """The scores in the order of the rows, a body at a time.

        At most `in_flight` bodies are held; how many of them are asked for at one time follows `Pace`. The first error
        in the order of the rows ends it; what was not sent by then is dropped.
        """
        pace = Pace(self.in_flight)
        window: deque[Future[Scored]] = deque()
        errors: list[UncertainError] = []
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
        search = Search(body, self.explain)
        while part := search.next_part():
            # A request holds no blank lines: it begins with its first row.
            offset, line = part.body.first_row_offset, part.body.first_row_line
            sent = replace(part.body, data=self.payload(part.body.data), offset=offset, line=line)
            if len(sent.data) > self.limit.most:  # a request may come out longer than the rows that it is made of
                search.halve(part)
                continue
            try:
                search.answered(part, scores_of(self._ask(sent, pace), sent))
            except BodyTooLargeError:
                self.limit.refused(len(part.body.data))
                search.halve(part)
            except RowsRefusedError as refusal:
                search.refused(part, refusal, is_row_a_line=sent.data.rstrip(b"\n").count(b"\n") < sent.rows)
                self._check(search)
            except JobError as error:
                if error.rows is not None:  # what is asked for together need not stand together
                    error.rows = part.span
                raise
        self.effort.earn()
        bad = [_bad_row(search.error(place)) for place in sorted(search.bad)]
        return Scored(body.data, search.lines, body.rows, tuple(bad))

    def _check(self, search: Search) -> None:
        """Raises where the body has more bad rows, or they cost more requests, than is allowed."""
        if len(search.bad) > self.most_bad_rows:
            raise search.error(sorted(search.bad)[self.most_bad_rows])
        if search.refusals > self.most_refusals or not self.effort.take():
            raise search.gave_up()

    def _ask(self, sent: Body, pace: Pace) -> bytes:
        return self.retry(lambda: self.invoke(sent), len(sent.data), pace, self.budget)


def _bad_row(error: RowsRefusedError) -> BadRow:
    row, offset = error.rows or (0, 0), error.offset or 0
    return BadRow(row[0], offset, error.code, error.reason, error.line, error.column)


def _up_to_error(bodies: Iterable[Body], errors: list[UncertainError]) -> Iterator[Body]:
    """The bodies before a row that cannot be read; the error is kept until all before it is scored."""
    try:
        yield from bodies
    except (RowTooLargeError, StrayQuoteError) as error:
        errors.append(error)


def _unanswered(window: Iterable[Future[Scored]]) -> int:
    return sum(not future.done() for future in window)
