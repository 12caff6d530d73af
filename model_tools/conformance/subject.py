"""What is checked: a server that runs, seen from outside, and as much of its inside as can be seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, Self

from dropscore.errors import JobError
from dropscore.files.requests import Request
from dropscore.scoring.replies import scores_of
from model_tools.conformance.client import Client, Reply
from model_tools.conformance.findings import FailedError
from model_tools.conformance.sample import Sample, body

MEBIBYTE = 1 << 20
Scores = list[tuple[float, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What is asked of a server; the defaults are SageMaker's own, where it has one."""

    ping_seconds: float = 2.0
    start_seconds: float = 60.0
    patience_seconds: float = 120.0
    """For a server that starts too slowly, so that the rest can be checked all the same."""
    answer_seconds: float = 60.0
    stop_seconds: float = 30.0
    largest_body_bytes: int = 6 * MEBIBYTE
    usual_body_bytes: int = 5_000_000
    parallel: int = 8


class Server(Protocol):
    """None and () stand for what cannot be seen of it."""

    client: Client
    start_seconds: float | None

    def log(self) -> str | None:
        """What it has printed so far."""

    def pid(self) -> int | None:
        """Its first process, on this machine."""

    def another(self) -> Self | None:
        """A second one, started as this one was; None where we do not start it."""

    def terminate(self, within_seconds: float) -> int | None:
        """SIGTERM; the exit code, or None when it still ran after that time."""

    def close(self) -> None:
        """End it, whatever it takes."""


@dataclass(slots=True)
class Subject:
    server: Server
    sample: Sample
    bounds: Bounds = field(default_factory=Bounds)
    limit_bytes: int = 100_000
    """The largest body known to be scored; the check of limits finds it."""
    limit_seconds: float = 1.0
    """How long that body took."""

    def invoke(self, content: bytes) -> Reply:
        return self.server.client.invoke(content, timeout=self.bounds.answer_seconds)

    def score(self, rows: list[bytes]) -> Scores:
        """The scores of rows that must be scored."""
        content = body(rows)
        return scores(self.invoke(content), content, len(rows))


def scores(reply: Reply, content: bytes, count: int) -> Scores:
    """A reply as the pipeline reads it. Raises FailedError where a job would end."""
    if reply.status != 200:
        do = "look into the server's log; the sample must be rows that the model can score"
        raise FailedError(f"{count} good rows were answered with {reply.brief}", do)
    try:
        lines = scores_of(reply.said, Request(content, 1, count, 0))
    except JobError as error:
        do = "answer text/csv with one line a row, several numbers separated by commas"
        raise FailedError(error.message.partition("; ")[0], do) from None
    return [tuple(float(number) for number in line.split(b",")) for line in lines.splitlines()]
