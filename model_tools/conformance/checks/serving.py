"""Check that the server starts, answers, and which content types it accepts."""

from __future__ import annotations

import json

from model_tools.conformance.client import CSV, Reply
from model_tools.conformance.findings import check
from model_tools.conformance.outcomes import FailedError, Passed, SkippedError
from model_tools.conformance.sample import body
from model_tools.conformance.subject import Subject


@check("start-up", "replies to /ping within a minute of its start", needs_scores=False)
def start_up(subject: Subject) -> Passed:
    seconds = subject.server.start_seconds
    if seconds is None:
        raise SkippedError("the server was already running")
    if seconds > subject.bounds.start_seconds:
        do = "load less, or load it later: a new instance gets no requests until /ping replies 200"
        raise FailedError(f"/ping replied 200 only {seconds:.1f} s after the start", do)
    return Passed(f"/ping replied 200 after {seconds:.1f} s")


@check("ping", "GET /ping replies 200 within 2 s", needs_scores=False)
def ping(subject: Subject) -> Passed:
    replies = [subject.server.client.ping(subject.bounds.answer_seconds) for _ in range(3)]
    slowest = max(reply.seconds for reply in replies)
    bad = [reply.brief for reply in replies if reply.status != 200]
    if bad:
        raise FailedError(f"GET /ping got {bad[0]}", "reply 200 as soon as the model is loaded")
    if slowest > subject.bounds.ping_seconds:
        do = "reply at once, without using the model: SageMaker replaces an instance that does not"
        raise FailedError(f"GET /ping took {slowest:.2f} s", do)
    return Passed(f"{slowest * 1000:.0f} ms at most")


@check(
    "invocations", "POST /invocations replies to text/csv with one line of finite numbers per row", needs_scores=False
)
def invocations(subject: Subject) -> Passed:
    found = subject.score(subject.sample.some(10))
    outputs = len(found[0])
    return Passed(f"10 rows scored, {outputs} {'number' if outputs == 1 else 'numbers'} per row")


@check("content-types", "lists the content types that it accepts; only text/csv is required")
def content_types(subject: Subject) -> Passed:
    rows = subject.sample.some(3)
    accepted = [CSV]
    for content_type, content in _alternatives(rows).items():
        reply = subject.server.client.invoke(content, content_type=content_type, timeout=subject.bounds.answer_seconds)
        if reply.status == 200 and _count(reply) == len(rows):
            accepted.append(content_type)
    return Passed(f"accepts {', '.join(accepted)}")


def _alternatives(rows: list[bytes]) -> dict[str, bytes]:
    cells = [[_number(cell) for cell in row.decode(errors="replace").split(",")] for row in rows]
    return {
        "application/json": json.dumps({"instances": cells}).encode(),
        "application/jsonlines": b"".join(json.dumps(row).encode() + b"\n" for row in cells),
        "text/libsvm": body([_libsvm(row).encode() for row in cells]),
    }


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _libsvm(row: list[float | None]) -> str:
    return " ".join(["0", *(f"{index}:{cell!r}" for index, cell in enumerate(row) if cell is not None)])


def _count(reply: Reply) -> int:
    """Return the number of scores in a reply, in any of the usual formats."""
    try:
        scores = json.loads(reply.content)
    except ValueError:
        return len(reply.content.split())
    found = scores.get("predictions", []) if isinstance(scores, dict) else scores
    return len(found) if isinstance(found, list) else 1
