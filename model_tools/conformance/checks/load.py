"""Checks with large requests, and with several at once."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor

from model_tools.conformance.checks.rows import same
from model_tools.conformance.client import Reply
from model_tools.conformance.findings import check
from model_tools.conformance.memory import Memory, memory_of
from model_tools.conformance.outcomes import FailedError, Passed, SkippedError
from model_tools.conformance.sample import body
from model_tools.conformance.subject import MEBIBYTE, Scores, Subject, scores

BUSY = (429, 503)
CONCURRENT = 4
ROUNDS = 3
PAUSE_SECONDS = 0.05


@check("limits", "accepts requests of 5 MB, or replies 413 to those over its limit")
def limits(subject: Subject) -> Passed:
    largest = subject.bounds.largest_body_bytes
    refused = _try(subject, largest)
    if refused is None:
        return Passed(f"accepts {largest} bytes, the most that was tried, in {subject.limit_seconds:.2f} s")
    low, high = 0, largest
    while high - low > max(largest // 64, 1000):
        middle = (low + high) // 2
        reply = _try(subject, middle)
        low, high, refused = (middle, high, refused) if reply is None else (low, middle, reply)
    if low == 0:
        raise FailedError(f"even {high} bytes got {refused.brief}", "accept requests of 5 MB")
    subject.limit_bytes = low
    advice = f"set the model's max_payload_bytes = {low // 1000 * 1000} in dropscore.toml"
    if refused.status != 413 and refused.seconds < subject.bounds.answer_seconds:
        do = f"reply 413, after which Dropscore sends smaller requests, and {advice}"
        raise FailedError(f"accepts {low} bytes, but {high} bytes got {refused.brief}", do)
    return Passed(f"accepts {low} bytes; {high} bytes got {refused.brief}", advice if low < 5_000_000 else "")


def _try(subject: Subject, size: int) -> Reply | None:
    """Return the refusal of a request of this size; None if it is scored."""
    content, count = subject.sample.of_size(size)
    reply = subject.invoke(content)
    if reply.status != 200:
        return reply
    scores(reply, content, count)
    subject.limit_bytes, subject.limit_seconds = len(content), reply.seconds
    return None


@check("concurrency", "concurrent requests get the same scores as single requests")
def concurrency(subject: Subject) -> Passed:
    at_once = subject.bounds.parallel
    requests = [subject.sample.some(50, start=7 * number) for number in range(at_once)]
    expected = [subject.score(rows) for rows in requests]
    with ThreadPoolExecutor(at_once) as pool:
        for _ in range(ROUNDS):
            found = list(pool.map(lambda rows: _score_with_retries(subject, rows), requests))
            if not all(map(same, found, expected)):
                do = "do not share state between requests: no global arrays, and a lock around the model"
                raise FailedError(f"some of {at_once} concurrent requests got other scores than alone", do)
    return Passed(f"{at_once} concurrent requests, {ROUNDS} times")


def _score_with_retries(subject: Subject, rows: list[bytes]) -> Scores:
    """Retry while the server replies that it is busy."""
    content, deadline = body(rows), time.monotonic() + subject.bounds.answer_seconds
    while (reply := subject.invoke(content)).status in BUSY and time.monotonic() < deadline:
        time.sleep(PAUSE_SECONDS)
    return scores(reply, content, len(rows))


@check("ping-under-load", "GET /ping replies 200 within 2 s while large requests are scored")
def ping_under_load(subject: Subject) -> Passed:
    pings: list[Reply] = []
    with ThreadPoolExecutor(CONCURRENT) as pool:
        large = _send_large(subject, pool)
        while not pings or not all(future.done() for future in large):
            pings.append(subject.server.client.ping(subject.bounds.answer_seconds))
            time.sleep(PAUSE_SECONDS)
    slowest = max(reply.seconds for reply in pings)
    if slowest > subject.bounds.ping_seconds or any(reply.status != 200 for reply in pings):
        worst = next((reply.brief for reply in pings if reply.status != 200), f"200 after {slowest:.1f} s")
        do = "serve /ping from a separate thread or worker, or reduce max_payload_bytes"
        raise FailedError(f"while {CONCURRENT} large requests were scored, GET /ping got {worst}", do)
    return Passed(f"{len(pings)} pings, {slowest * 1000:.0f} ms at most")


def _send_large(subject: Subject, pool: ThreadPoolExecutor) -> list[Future[Reply]]:
    content, _ = _large(subject)
    return [pool.submit(subject.invoke, content) for _ in range(CONCURRENT)]


def _large(subject: Subject) -> tuple[bytes, int]:
    return subject.sample.of_size(min(subject.limit_bytes, subject.bounds.usual_body_bytes))


@check("memory", "memory does not grow with the number of large requests")
def memory(subject: Subject) -> Passed:
    before = _measured(subject)
    # After a second round: pools and caches that the first one fills are not growth.
    warm = _measured(subject).held_bytes
    for _ in range(ROUNDS):
        after = _measured(subject)
    sent = ROUNDS * CONCURRENT * len(_large(subject)[0])
    growth = after.held_bytes - warm
    if growth > 0.8 * sent:
        do = "release each request and its scores after the reply"
        raise FailedError(f"{sent / MEBIBYTE:.0f} MiB of requests grew its memory by {growth / MEBIBYTE:.0f} MiB", do)
    peak = max(before.peak_bytes, after.peak_bytes)
    size = len(_large(subject)[0]) / MEBIBYTE
    return Passed(f"{peak / MEBIBYTE:.0f} MiB at most, with {CONCURRENT} concurrent requests of {size:.1f} MiB")


def _measured(subject: Subject) -> Memory:
    """Return the memory after a round of large requests. Raises SkippedError if it cannot be read."""
    with ThreadPoolExecutor(CONCURRENT) as pool:
        for sent in _send_large(subject, pool):
            sent.result()
    pid = subject.server.pid()
    measured = None if pid is None else memory_of(pid)
    if measured is None:
        raise SkippedError("its processes are not visible from here")
    return measured
