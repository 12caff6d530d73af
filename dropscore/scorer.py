"""Bodies → endpoint → scores, several in flight, results in order, transient faults retried."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from dropscore.errors import TransientError
from dropscore.lines import Body
from dropscore.scores import scores_of

Invoke = Callable[[Body], bytes]


@dataclass(frozen=True, kw_only=True)
class Retry:
    """Waits of up to base × 2^n seconds (full jitter, at most `cap_seconds`) between `attempts` tries of one body."""

    attempts: int = 6
    base_seconds: float = 0.5
    cap_seconds: float = 20.0
    sleep: Callable[[float], None] = time.sleep

    def __call__(self, invoke: Invoke, body: Body) -> bytes:
        for attempt in range(1, self.attempts):
            try:
                return invoke(body)
            except TransientError:
                self.sleep(random.uniform(0, min(self.cap_seconds, self.base_seconds * 2**attempt)))
        return invoke(body)


def score(bodies: Iterable[Body], invoke: Invoke, *, in_flight: int, retry: Retry) -> Iterator[tuple[Body, bytes]]:
    """Each body with its scores (`scores_of`), in the order of the bodies.

    At most `in_flight` bodies are held at one time. The first error ends it; bodies not yet sent are dropped.
    """
    window: deque[tuple[Body, Future[bytes]]] = deque()
    pool = ThreadPoolExecutor(in_flight, thread_name_prefix="invoke")
    try:
        for body in bodies:
            window.append((body, pool.submit(retry, invoke, body)))
            if len(window) == in_flight:
                yield _finished(*window.popleft())
        while window:
            yield _finished(*window.popleft())
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _finished(body: Body, reply: Future[bytes]) -> tuple[Body, bytes]:
    return body, scores_of(reply.result(), body)
