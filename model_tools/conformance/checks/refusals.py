"""What it does with what it cannot score: a 4xx that tells where, and never repeats what is written there."""

from __future__ import annotations

import json
import time

from model_tools.conformance.client import Reply
from model_tools.conformance.findings import FailedError, Passed, SkippedError, check
from model_tools.conformance.sample import CANARY, body
from model_tools.conformance.subject import Subject

ROWS, BAD = 5, 3
JSON_FIX = 'answer {"code": "BAD_ROW", "row": 3} as JSON, and the job says which row of the file to mend'


@check("bad-row", "a cell that is no number is answered with 4xx")
def bad_row(subject: Subject) -> Passed:
    reply = subject.invoke(subject.sample.poisoned(ROWS, BAD))
    what = f"a body with a word in its row {BAD} was answered with {reply.brief}"
    return _refused(reply, what, advice=JSON_FIX if _named_row(reply) != BAD else "")


@check("short-row", "a row that lacks a cell is answered with 4xx")
def short_row(subject: Subject) -> Passed:
    if subject.sample.columns == 1:
        raise SkippedError("the rows have one column; a row without it is an empty line")
    rows = subject.sample.some(ROWS)
    rows[BAD - 1] = rows[BAD - 1].rpartition(b",")[0]
    reply = subject.invoke(body(rows))
    return _refused(reply, f"a body whose row {BAD} lacks its last cell was answered with {reply.brief}")


def _refused(reply: Reply, what: str, advice: str = "") -> Passed:
    if reply.status == 200:
        raise FailedError(what, "check each row before scoring: a wrong score does more harm than none")
    if not 400 <= reply.status < 500:
        raise FailedError(what, "answer 400: anything else counts as the server's own fault, and is tried again")
    return Passed(what, advice)


def _named_row(reply: Reply) -> object:
    try:
        said = json.loads(reply.said)
    except ValueError:
        return None
    return said.get("row") if isinstance(said, dict) and said.get("code") else None


@check("echo", "no answer repeats a cell of the body")
def echo(subject: Subject) -> Passed:
    if CANARY in subject.invoke(subject.sample.poisoned(ROWS, BAD)).said:
        do = "say the number of the row and of the column instead: answers end up in logs"
        raise FailedError("the refusal of a bad row quotes its cell", do)
    return Passed("the refusal of a bad row quotes none of its cells")


@check("empty-body", "an empty body is answered with 4xx")
def empty_body(subject: Subject) -> Passed:
    reply = subject.invoke(b"")
    if reply.status == 200 and not reply.said.strip():
        return Passed("an empty body gave an empty answer", "answer 400: whoever sends nothing has made a mistake")
    if 400 <= reply.status < 500:
        return Passed(f"an empty body was answered with {reply.brief}")
    raise FailedError(f"an empty body was answered with {reply.brief}", "answer 400 when there is no row")


@check("wrong-type", "a content type that it does not take is answered with 4xx")
def wrong_type(subject: Subject) -> Passed:
    content, kind = body(subject.sample.some(2)), "application/x-dropscore-unknown"
    reply = subject.server.client.invoke(content, content_type=kind, timeout=subject.bounds.answer_seconds)
    what = f"rows announced as {kind} were answered with {reply.brief}"
    if reply.status == 200:
        return Passed(what, "answer 415 to what is not announced as text/csv, instead of guessing")
    if 400 <= reply.status < 500:
        return Passed(what)
    raise FailedError(what, "answer 415")


@check("log", "no row of a body reaches the log")
def log(subject: Subject) -> Passed:
    time.sleep(0.3)  # what is on its way into the log
    written = subject.server.log()
    if written is None:
        raise SkippedError("its log cannot be seen from here")
    telling = [CANARY, *(row for row in subject.sample.rows if len(row) >= 8)]
    if any(secret.decode(errors="replace") in written for secret in telling):
        do = "log how many rows and bytes there were, and which row was bad, but nothing of what is in them"
        raise FailedError("rows that were sent stand in its log", do)
    return Passed(f"{len(written.splitlines())} lines of log, no row in them")
