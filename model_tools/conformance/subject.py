"""The subject of the checks: a running server, with sample rows and the limits it must meet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, Self

from dropscore.errors import JobError
from dropscore.files.requests import Request
from dropscore.scoring.replies import scores_of
from model_tools.conformance.client import Client, Reply
from model_tools.conformance.outcomes import FailedError
from model_tools.conformance.sample import Sample, body

MEBIBYTE = 1 << 20
Scores = list[tuple[float, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Limits that a server must meet; the defaults are SageMaker's, if it has one."""

    ping_seconds: float = 2.0
    start_seconds: float = 60.0
    start_timeout_seconds: float = 120.0
    """More than `start_seconds`, so that a server that starts too slowly can still be checked."""
    answer_seconds: float = 60.0
    stop_seconds: float = 30.0
    largest_body_bytes: int = 6 * MEBIBYTE
    usual_body_bytes: int = 5_000_000
    parallel: int = 8


class Server(Protocol):
    """A running server. None means that something is not visible from here."""

    client: Client
    start_seconds: float | None

    def log(self) -> str | None:
        """Return what it has printed so far."""

    def pid(self) -> int | None:
        """Return the id of its first process on this machine."""

    def another(self) -> Self | None:
        """Start a second server like this one; None if this command did not start it."""

    def terminate(self, within_seconds: float) -> int | None:
        """Send SIGTERM. Return the exit code, or None if it is still running after that time."""

    def close(self) -> None:
        """Kill it."""


@dataclass(slots=True)
class Subject:
    server: Server
    sample: Sample
    bounds: Bounds = field(default_factory=Bounds)
    limit_bytes: int = 100_000
    """The largest request that was scored; the check `limits` sets it."""
    limit_seconds: float = 1.0
    """How long that request took."""

    def invoke(self, content: bytes) -> Reply:
        return self.server.client.invoke(content, timeout=self.bounds.answer_seconds)

    def score(self, rows: list[bytes]) -> Scores:
        """Return the scores of valid rows. Raises FailedError."""
        content = body(rows)
        return scores(self.invoke(content), content, len(rows))


def scores(reply: Reply, content: bytes, count: int) -> Scores:
    """Read a reply as the worker does. Raises FailedError if a job would fail."""
    if reply.status != 200:
        do = "see the server's log; the sample must be rows that the model can score"
        raise FailedError(f"{count} valid rows got {reply.brief}", do)
    try:
        lines = scores_of(reply.content, Request(content, 1, count, 0))
    except JobError as error:
        do = "reply with text/csv, one line per row, several numbers separated by commas"
        raise FailedError(error.message.partition("; ")[0], do) from None
    return [tuple(float(number) for number in line.split(b",")) for line in lines.splitlines()]
