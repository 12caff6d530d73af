"""How much runs at once: a few requests score, some more wait, the rest are told to come back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from model.serving.refusal import RefusalError


class Gate:
    """`running` requests score at one time and `waiting` more may queue; bodies take `memory_bytes` at most.

    A request that is still arriving takes no place, only the memory of what has arrived: slow clients keep nobody out.
    """

    def __init__(self, *, running: int, waiting: int, memory_bytes: int) -> None:
        self.running = running
        self.places = running + waiting
        self._taken = self._here = 0
        self._memory_bytes = memory_bytes
        self._is_open = True
        self._changed = threading.Condition()
        self._slots = threading.Semaphore(running)

    @contextmanager
    def request(self) -> Iterator[Callable[[int], None]]:
        """From a request's head to its answer. Yields what takes memory for its body, until the request ends."""
        held = [0]

        def take(size: int) -> None:
            with self._changed:
                if size > self._memory_bytes:
                    raise _come_back(
                        "BUSY", "bodies that are here already fill the memory; send the request again later"
                    )
                self._memory_bytes -= size
                held[0] += size

        with self._changed:
            if not self._is_open:
                raise _come_back("STOPPING", "the server is stopping; send the request again")
            self._here += 1
        try:
            yield take
        finally:
            with self._changed:
                self._memory_bytes += held[0]
                self._here -= 1
                self._changed.notify_all()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold one place from when the body has arrived until the answer is written."""
        with self._changed:
            if self._taken == self.places:
                raise _come_back("BUSY", f"{self.places} requests are here already; send the request again later")
            self._taken += 1
        try:
            yield
        finally:
            with self._changed:
                self._taken -= 1

    @contextmanager
    def slots(self, most: int = 1) -> Iterator[int]:
        """Hold a core while parsing and scoring; up to `most` idle ones, as far as that is fair. Yields how many."""
        with ExitStack() as held:
            held.enter_context(self._slots)
            taken, most = 1, min(most, self._fair_share)
            while taken < most and self._slots.acquire(blocking=False):
                held.callback(self._slots.release)
                taken += 1
            yield taken

    @property
    def _fair_share(self) -> int:
        """More cores for one than for others who are here, be they still sending, would leave some idle in the end."""
        return self.running // max(1, self._here)

    def close(self, timeout_seconds: float) -> bool:
        """Let no request in any more; True when all that were in have left before the time was up."""
        with self._changed:
            self._is_open = False
        return self.is_idle_within(timeout_seconds)

    def is_idle_within(self, timeout_seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._here == 0, timeout_seconds)


def _come_back(code: str, message: str) -> RefusalError:
    return RefusalError(503, code, message, headers={"Retry-After": "1"})
