"""Check requests that cannot be scored: the reply must be a 4xx that names the row and does not quote it."""

from __future__ import annotations

import json
import time

from model_tools.conformance.client import Reply
from model_tools.conformance.findings import check
from model_tools.conformance.outcomes import FailedError, Passed, SkippedError
from model_tools.conformance.sample import CANARY, body
from model_tools.conformance.subject import Subject

ROWS, BAD = 5, 3
JSON_FIX = 'reply {"code": "BAD_ROW", "row": 3} as JSON, and the job names the bad row of the file'


@check("bad-row", "a cell that is not a number gets a 4xx")
def bad_row(subject: Subject) -> Passed:
    reply = subject.invoke(subject.sample.poisoned(ROWS, BAD))
    what = f"a request with a word in row {BAD} got {reply.brief}"
    return _refused(reply, what, advice=JSON_FIX if _named_row(reply) != BAD else "")


@check("short-row", "a row without one of its cells gets a 4xx")
def short_row(subject: Subject) -> Passed:
    if subject.sample.columns == 1:
        raise SkippedError("the rows have one column; a row without it is an empty line")
    rows = subject.sample.some(ROWS)
    rows[BAD - 1] = rows[BAD - 1].rpartition(b",")[0]
    reply = subject.invoke(body(rows))
    return _refused(reply, f"a request without the last cell of row {BAD} got {reply.brief}")


def _refused(reply: Reply, what: str, advice: str = "") -> Passed:
    if reply.status == 200:
        raise FailedError(what, "check each row before scoring: a wrong score is worse than none")
    if not 400 <= reply.status < 500:
        raise FailedError(what, "reply 400: any other status counts as the server's fault, and is retried")
    return Passed(what, advice)


def _named_row(reply: Reply) -> object:
    try:
        fields = json.loads(reply.content)
    except ValueError:
        return None
    return fields.get("row") if isinstance(fields, dict) and fields.get("code") else None


@check("echo", "a refusal does not quote a cell of the request")
def echo(subject: Subject) -> Passed:
    if CANARY in subject.invoke(subject.sample.poisoned(ROWS, BAD)).content:
        do = "reply with the numbers of row and column instead: replies end up in logs"
        raise FailedError("the refusal of a bad row quotes its cell", do)
    return Passed("the refusal of a bad row does not quote its cells")


@check("empty-body", "an empty request gets a 4xx")
def empty_body(subject: Subject) -> Passed:
    reply = subject.invoke(b"")
    if reply.status == 200 and not reply.content.strip():
        return Passed("an empty request got an empty reply", "reply 400: an empty request is a client's mistake")
    if 400 <= reply.status < 500:
        return Passed(f"an empty request got {reply.brief}")
    raise FailedError(f"an empty request got {reply.brief}", "reply 400 if there is no row")


@check("wrong-type", "an unknown content type gets a 4xx")
def wrong_type(subject: Subject) -> Passed:
    content, content_type = body(subject.sample.some(2)), "application/x-dropscore-unknown"
    reply = subject.server.client.invoke(content, content_type=content_type, timeout=subject.bounds.answer_seconds)
    what = f"rows with content type {content_type} got {reply.brief}"
    if reply.status == 200:
        return Passed(what, "reply 415 unless the content type is text/csv, instead of guessing")
    if 400 <= reply.status < 500:
        return Passed(what)
    raise FailedError(what, "reply 415")


@check("log", "the log contains no row")
def log(subject: Subject) -> Passed:
    time.sleep(0.3)  # until the log is written
    written = subject.server.log()
    if written is None:
        raise SkippedError("its log is not visible from here")
    secrets = [CANARY, *(row for row in subject.sample.rows if len(row) >= 8)]
    if any(secret.decode(errors="replace") in written for secret in secrets):
        do = "log the numbers of rows and bytes, and which row is bad, but no content"
        raise FailedError("its log contains rows of the requests", do)
    return Passed(f"{len(written.splitlines())} lines of log without a row")
