"""Large bodies, and several at one time."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor

from model_tools.conformance.checks.rows import same
from model_tools.conformance.client import Reply
from model_tools.conformance.findings import FailedError, Passed, SkippedError, check
from model_tools.conformance.memory import Memory, memory_of
from model_tools.conformance.sample import body
from model_tools.conformance.subject import MEBIBYTE, Scores, Subject, scores

BUSY = (429, 503)
AT_ONE_TIME = 4
ROUNDS = 3
PAUSE_SECONDS = 0.05


@check("limits", "takes bodies of 5 MB, or answers 413 to those over its limit")
def limits(subject: Subject) -> Passed:
    largest = subject.bounds.largest_body_bytes
    refused = _try(subject, largest)
    if refused is None:
        return Passed(f"takes {largest} bytes, the most that was tried, in {subject.limit_seconds:.2f} s")
    low, high = 0, largest
    while high - low > max(largest // 64, 1000):
        middle = (low + high) // 2
        reply = _try(subject, middle)
        low, high, refused = (middle, high, refused) if reply is None else (low, middle, reply)
    if low == 0:
        raise FailedError(f"even {high} bytes were answered with {refused.brief}", "take bodies of 5 MB")
    subject.limit_bytes = low
    advice = f"set the model's max_payload_bytes = {low // 1000 * 1000} in dropscore.toml"
    if refused.status != 413 and refused.seconds < subject.bounds.answer_seconds:
        do = f"answer 413, for which Dropscore knows what to do, and {advice}"
        raise FailedError(f"takes {low} bytes; {high} bytes were answered with {refused.brief}", do)
    return Passed(f"takes {low} bytes; {high} were answered with {refused.brief}", advice if low < 5_000_000 else "")


def _try(subject: Subject, size: int) -> Reply | None:
    """None when a body of this size is scored; else the refusal."""
    content, count = subject.sample.of_size(size)
    reply = subject.invoke(content)
    if reply.status != 200:
        return reply
    scores(reply, content, count)
    subject.limit_bytes, subject.limit_seconds = len(content), reply.seconds
    return None


@check("concurrency", "bodies that come at one time give the scores that they give one by one")
def concurrency(subject: Subject) -> Passed:
    at_once = subject.bounds.parallel
    bodies = [subject.sample.some(50, start=7 * number) for number in range(at_once)]
    expected = [subject.score(rows) for rows in bodies]
    with ThreadPoolExecutor(at_once) as pool:
        for _ in range(ROUNDS):
            found = list(pool.map(lambda rows: _patiently(subject, rows), bodies))
            if not all(map(same, found, expected)):
                do = "keep nothing of a request where another one sees it: no global arrays, a lock around the model"
                raise FailedError(f"of {at_once} bodies at one time some gave other scores than alone", do)
    return Passed(f"{at_once} bodies at one time, {ROUNDS} times")


def _patiently(subject: Subject, rows: list[bytes]) -> Scores:
    """A server may say that it is busy, and be asked again."""
    content, deadline = body(rows), time.monotonic() + subject.bounds.answer_seconds
    while (reply := subject.invoke(content)).status in BUSY and time.monotonic() < deadline:
        time.sleep(PAUSE_SECONDS)
    return scores(reply, content, len(rows))


@check("ping-under-load", "GET /ping answers 200 within 2 s while large bodies are scored")
def ping_under_load(subject: Subject) -> Passed:
    pings: list[Reply] = []
    with ThreadPoolExecutor(AT_ONE_TIME) as pool:
        large = _send_large(subject, pool)
        while not pings or not all(one.done() for one in large):
            pings.append(subject.server.client.ping(subject.bounds.answer_seconds))
            time.sleep(PAUSE_SECONDS)
    slowest = max(reply.seconds for reply in pings)
    if slowest > subject.bounds.ping_seconds or any(reply.status != 200 for reply in pings):
        worst = next((reply.brief for reply in pings if reply.status != 200), f"200 after {slowest:.1f} s")
        do = "answer /ping from a thread or worker of its own, or make max_payload_bytes smaller"
        raise FailedError(f"while {AT_ONE_TIME} large bodies were scored, GET /ping was answered with {worst}", do)
    return Passed(f"{len(pings)} pings, {slowest * 1000:.0f} ms at most")


def _send_large(subject: Subject, pool: ThreadPoolExecutor) -> list[Future[Reply]]:
    content, _ = _large(subject)
    return [pool.submit(subject.invoke, content) for _ in range(AT_ONE_TIME)]


def _large(subject: Subject) -> tuple[bytes, int]:
    return subject.sample.of_size(min(subject.limit_bytes, subject.bounds.usual_body_bytes))


@check("memory", "memory stays, however many large bodies have been scored")
def memory(subject: Subject) -> Passed:
    before = _measured(subject)
    grown = _measured(subject).held_bytes
    for _ in range(ROUNDS):
        after = _measured(subject)
    sent = ROUNDS * AT_ONE_TIME * len(_large(subject)[0])
    growth = after.held_bytes - grown
    if growth > 0.8 * sent:
        do = "let go of each body and its scores once they are answered"
        raise FailedError(f"{sent / MEBIBYTE:.0f} MiB of bodies left {growth / MEBIBYTE:.0f} MiB behind", do)
    peak = max(before.peak_bytes, after.peak_bytes)
    size = len(_large(subject)[0]) / MEBIBYTE
    return Passed(f"{peak / MEBIBYTE:.0f} MiB at most, with {AT_ONE_TIME} bodies of {size:.1f} MiB at one time")


def _measured(subject: Subject) -> Memory:
    """After a round of large bodies."""
    with ThreadPoolExecutor(AT_ONE_TIME) as pool:
        for sent in _send_large(subject, pool):
            sent.result()
    pid = subject.server.pid()
    measured = None if pid is None else memory_of(pid)
    if measured is None:
        raise SkippedError("its processes cannot be seen from here")
    return measured
