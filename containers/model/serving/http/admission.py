"""Limit concurrent requests: some are scored, some wait, and the rest get 503 with Retry-After."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from model.serving.refusal import RefusalError


class Admission:
    """At most `running` requests are scored at once, `waiting` more may queue, and all use at most `memory_bytes`.

    A request that is still arriving takes only the memory of the bytes that have arrived, not a place, so slow clients
    do not block others.
    """

    def __init__(self, *, running: int, waiting: int, memory_bytes: int) -> None:
        self.running = running
        self.places = running + waiting
        self._taken = self._in_progress = 0
        self._memory_bytes = memory_bytes
        self._is_open = True
        self._changed = threading.Condition()
        self._slots = threading.Semaphore(running)

    @contextmanager
    def request(self) -> Iterator[Callable[[int], None]]:
        """Hold this from a request's head until its reply is written.

        Yields a function that reserves bytes of memory until then. Raises RefusalError STOPPING; the function, BUSY.
        """
        held = [0]

        def take(size: int) -> None:
            with self._changed:
                if size > self._memory_bytes:
                    raise _come_back("BUSY", "other requests use all memory for requests; send the request again later")
                self._memory_bytes -= size
                held[0] += size

        with self._changed:
            if not self._is_open:
                raise _come_back("STOPPING", "the server is stopping; send the request again")
            self._in_progress += 1
        try:
            yield take
        finally:
            with self._changed:
                self._memory_bytes += held[0]
                self._in_progress -= 1
                self._changed.notify_all()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold one place from when the request has arrived until the reply is written. Raises RefusalError BUSY."""
        with self._changed:
            if self._taken == self.places:
                raise _come_back("BUSY", f"{self.places} requests are running or waiting; send the request again later")
            self._taken += 1
        try:
            yield
        finally:
            with self._changed:
                self._taken -= 1

    @contextmanager
    def slots(self, most: int = 1) -> Iterator[int]:
        """Hold a core while parsing and scoring, and up to `most` if others are idle. Yields the number of cores."""
        with ExitStack() as held:
            held.enter_context(self._slots)
            taken, most = 1, min(most, self._fair_share)
            while taken < most and self._slots.acquire(blocking=False):
                held.callback(self._slots.release)
                taken += 1
            yield taken

    @property
    def _fair_share(self) -> int:
        """The cores for one request: an equal share among all, including requests that are still arriving."""
        # Read without the lock: an old number costs speed only.
        return self.running // max(1, self._in_progress)

    def close(self, timeout_seconds: float) -> bool:
        """Admit no more requests. Return True if those in progress have ended within `timeout_seconds`."""
        with self._changed:
            self._is_open = False
        return self.is_idle_within(timeout_seconds)

    def is_idle_within(self, timeout_seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._in_progress == 0, timeout_seconds)


def _come_back(code: str, message: str) -> RefusalError:
    return RefusalError(503, code, message, headers={"Retry-After": "1"})
