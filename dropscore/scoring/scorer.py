"""Sends requests to the endpoint: several at a time, results in order, large requests halved, bad rows isolated."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace

from dropscore.errors import (
    BusyError,
    JobError,
    RequestTooLargeError,
    RowsRefusedError,
    RowTooLargeError,
    StrayQuoteError,
)
from dropscore.files.requests import Request, Requests
from dropscore.jobs.bad_rows import BadRow
from dropscore.scoring.bad_row_search import Explain, Search, as_reported
from dropscore.scoring.pace import Budget, Pace, Retry
from dropscore.scoring.replies import scores_of

Invoke = Callable[[Request], bytes]
UncertainError = RowTooLargeError | StrayQuoteError

MAX_REFUSALS = 1000  # for the rows of one request; a model that names its bad rows needs a few dozen
LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Scored:
    """A request that was scored: its rows as they are in the file, and a line of scores for each, empty for a bad row.

    `limit_bytes` is how long a request may be, as far as the endpoint has shown by then.
    """

    data: bytes
    lines: bytes
    rows: int
    bad: tuple[BadRow, ...] = ()
    limit_bytes: int = 0


@dataclass(kw_only=True)
class Scorer:
    """Scores requests with one endpoint. `payload` turns rows into the bytes to send, with one line for each row.

    Raises RowsRefusedError for more than `max_bad_rows` bad rows in one request, and RejectedError TOO_MANY_REQUESTS if
    the search for them takes too many requests.
    """

    invoke: Invoke
    max_bytes: int
    """The longest request that the endpoint is ever sent."""
    limit_bytes: int
    """The longest request that it is sent from now on. Falls whenever the endpoint refuses one as too large."""
    max_concurrent_requests: int
    payload: Callable[[bytes], bytes] = bytes
    explain: Explain = as_reported
    max_bad_rows: int = 0
    meanwhile: Callable[[BusyError | None], None] = lambda _: None
    """Called every second while no reply comes, with the endpoint's error if it is busy. It may raise."""
    retry: Retry = field(default_factory=Retry)
    budget: Budget = field(default_factory=Budget)
    max_refusals: int = MAX_REFUSALS
    refusal_budget: Budget = field(default_factory=lambda: Budget(capacity=10_000, cost=1, gain=100))
    """How many requests may be refused while bad rows are searched for: 10,000 and, for each request, 100 more."""

    def score(self, requests: Requests) -> Iterator[Scored]:
        """The scores in the order of the rows, one result for each request.

        Holds at most `max_concurrent_requests` requests; `Pace` decides how many of them are sent at a time. The first
        error in the order of the rows is raised, and requests that were not sent by then are dropped.
        """
        pace = Pace(self.max_concurrent_requests)
        window: deque[Future[Scored]] = deque()
        errors: list[UncertainError] = []
        pool = ThreadPoolExecutor(self.max_concurrent_requests, thread_name_prefix="invoke")
        try:
            for request in self._up_to_error(requests, errors):
                while window and (len(window) == self.max_concurrent_requests or _unanswered(window) >= pace.size):
                    yield self._next(window, pace)
                window.append(pool.submit(self._score, request, pace))
            while window:
                yield self._next(window, pace)
            if errors:
                raise errors[0]
        finally:
            # Do not wait for requests in flight: nothing needs their replies, and each may take a minute or more.
            pool.shutdown(wait=False, cancel_futures=True)

    def _up_to_error(self, requests: Requests, errors: list[UncertainError]) -> Iterator[Request]:
        """The requests before a row that cannot be read. Its error waits until all rows before it are scored."""
        try:
            while request := requests.next(self.limit_bytes):
                yield request
        except (RowTooLargeError, StrayQuoteError) as error:
            errors.append(error)

    def _next(self, window: deque[Future[Scored]], pace: Pace) -> Scored:
        while not wait([window[0]], timeout=LOOK_SECONDS).done:
            self.meanwhile(pace.waiting_for)
        return window.popleft().result()

    def _score(self, request: Request, pace: Pace) -> Scored:
        """The request's scores, in as many requests as it takes; its parts are sent one after the other."""
        search = Search(request, self.explain)
        while part := search.next_part():
            # A request holds no blank lines: it begins with its first row.
            offset, line = part.request.first_row_offset, part.request.first_row_line
            sent = replace(part.request, data=self.payload(part.request.data), offset=offset, line=line)
            if len(sent.data) > self.max_bytes:  # a request may come out longer than the rows that it is made of
                search.halve(part)
                continue
            try:
                search.scored(part, scores_of(self._invoke(sent, pace), sent))
            except RequestTooLargeError:
                # Measured in bytes of the file, not in those sent, because the next requests are cut from the file.
                self._refused_as_too_large(len(part.request.data))
                search.halve(part)
            except RowsRefusedError as refusal:
                search.refused(part, refusal, is_row_a_line=sent.data.rstrip(b"\n").count(b"\n") < sent.rows)
                self._check(search)
            except JobError as error:
                if error.rows is not None:  # rows of one request need not be adjacent in the file
                    error.rows = part.span
                raise
        self.refusal_budget.earn()
        bad = [_bad_row(search.error(place)) for place in sorted(search.bad)]
        return Scored(request.data, search.lines, request.rows, tuple(bad), self.limit_bytes)

    def _refused_as_too_large(self, size_bytes: int) -> None:
        self.limit_bytes = min(self.limit_bytes, max(1, size_bytes // 2))

    def _check(self, search: Search) -> None:
        """Raises if the request has more bad rows, or finding them took more requests, than is allowed."""
        if len(search.bad) > self.max_bad_rows:
            raise search.error(sorted(search.bad)[self.max_bad_rows])
        if search.refusals > self.max_refusals or not self.refusal_budget.take():
            raise search.gave_up()

    def _invoke(self, sent: Request, pace: Pace) -> bytes:
        return self.retry(lambda: self.invoke(sent), len(sent.data), pace, self.budget)


def _bad_row(error: RowsRefusedError) -> BadRow:
    row, offset = error.rows or (0, 0), error.offset or 0
    return BadRow(row[0], offset, error.code, error.reason, error.line, error.column)


def _unanswered(window: Iterable[Future[Scored]]) -> int:
    return sum(not future.done() for future in window)
