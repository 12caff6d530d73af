"""Whether it serves at all, how soon, and what it understands."""

from __future__ import annotations

import json

from model_tools.conformance.client import CSV, Reply
from model_tools.conformance.findings import FailedError, Passed, SkippedError, check
from model_tools.conformance.sample import body
from model_tools.conformance.subject import Subject


@check("start-up", "answers /ping within a minute of its start", needs_scores=False)
def start_up(subject: Subject) -> Passed:
    seconds = subject.server.start_seconds
    if seconds is None:
        raise SkippedError("it ran already")
    if seconds > subject.bounds.start_seconds:
        do = "load less, or load it later: a new instance takes no requests until then"
        raise FailedError(f"it took {seconds:.1f} s from its start to its first good /ping", do)
    return Passed(f"{seconds:.1f} s from its start to its first good /ping")


@check("ping", "GET /ping answers 200 within 2 s", needs_scores=False)
def ping(subject: Subject) -> Passed:
    replies = [subject.server.client.ping(subject.bounds.answer_seconds) for _ in range(3)]
    slowest = max(reply.seconds for reply in replies)
    bad = [reply.brief for reply in replies if reply.status != 200]
    if bad:
        raise FailedError(f"GET /ping was answered with {bad[0]}", "answer 200 as soon as the model is loaded")
    if slowest > subject.bounds.ping_seconds:
        do = "answer at once, without touching the model: SageMaker replaces an instance that does not"
        raise FailedError(f"GET /ping took {slowest:.2f} s", do)
    return Passed(f"{slowest * 1000:.0f} ms at most")


@check("invocations", "POST /invocations answers text/csv with one line of finite numbers a row", needs_scores=False)
def invocations(subject: Subject) -> Passed:
    found = subject.score(subject.sample.some(10))
    outputs = len(found[0])
    return Passed(f"10 rows scored, {outputs} {'number' if outputs == 1 else 'numbers'} a row")


@check("content-types", "text/csv is all that is needed; what else it takes is told")
def content_types(subject: Subject) -> Passed:
    rows = subject.sample.some(3)
    taken = [CSV]
    for kind, content in _offers(rows).items():
        reply = subject.server.client.invoke(content, content_type=kind, timeout=subject.bounds.answer_seconds)
        if reply.status == 200 and _count(reply) == len(rows):
            taken.append(kind)
    return Passed(f"takes {', '.join(taken)}")


def _offers(rows: list[bytes]) -> dict[str, bytes]:
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
    """How many scores there are in a reply, in one of the usual forms."""
    try:
        said = json.loads(reply.said)
    except ValueError:
        return len(reply.said.split())
    found = said.get("predictions", []) if isinstance(said, dict) else said
    return len(found) if isinstance(found, list) else 1
