"""How fast an endpoint is asked: as many requests in flight as it takes gladly, and no more retries than it can bear."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from dropscore.errors import BusyError, ModelChangedError, TransientError

SLOW = 4.0  # times the best seconds per byte seen: the endpoint queues, it does not work faster
GRACE = 8  # answers before latency is judged at all


class Pace:
    """Additive increase, multiplicative decrease of the requests in flight, between 1 and `most`.

    A quick answer adds 1/size, so that a full round of them adds one; a transient fault, or an answer SLOW times
    slower per byte than the best one, halves it. What was sent before the last halving says nothing new.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = float(min(2, most))
        self._best = float("inf")
        self._answers = 0
        self._halved_at = float("-inf")
        self.waiting_for: BusyError | None = None
        """What the last one to answer said, if it was that it is busy."""
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        return int(self._size)

    def answered(self, sent_at: float, now: float, size_bytes: int) -> None:
        with self._lock:
            self.waiting_for = None
            cost = (now - sent_at) / size_bytes
            self._best = min(self._best, cost)
            self._answers += 1
            if self._answers > GRACE and cost > SLOW * self._best:
                self._halve(sent_at, now)
            else:
                self._size = min(self._most, self._size + 1 / self._size)

    def faulted(self, sent_at: float, now: float) -> None:
        with self._lock:
            self._halve(sent_at, now)

    def _halve(self, sent_at: float, now: float) -> None:
        if sent_at >= self._halved_at:
            self._size = max(1.0, self._size / 2)
            self._halved_at = now


class Budget:
    """Tokens for retries: each costs `cost`, each answer earns `gain` back, `most` are there at the start.

    An endpoint that answers now and then is tried patiently; one that never answers is given up after most/cost tries.
    """

    def __init__(self, most: int = 500, cost: int = 5, gain: int = 1) -> None:
        self._most, self._cost, self._gain = most, cost, gain
        self._left = most
        self._lock = threading.Lock()

    def earn(self) -> None:
        with self._lock:
            self._left = min(self._most, self._left + self._gain)

    def take(self) -> bool:
        with self._lock:
            if self._left < self._cost:
                return False
            self._left -= self._cost
            return True


@dataclass(frozen=True, kw_only=True)
class Retry:
    """Waits of up to base × 2^n seconds (full jitter, at most the cap) between at most `attempts` tries of a call.

    Who says that it is busy is asked `busy_attempts` times, ever more seldom and without a budget: however many workers
    there are, each gets its turn, and an endpoint that starts from nothing has about twenty minutes.
    """

    attempts: int = 6
    base_seconds: float = 0.5
    cap_seconds: float = 20.0
    busy_attempts: int = 40
    busy_cap_seconds: float = 60.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def __call__(self, call: Callable[[], bytes], size_bytes: int, pace: Pace, budget: Budget) -> bytes:
        """The call's answer, told to `pace` and `budget`. Raises the TransientError that was one too many."""
        attempt = 1
        while True:
            sent_at = self.clock()
            try:
                answer = call()
            except ModelChangedError:
                raise
            except BusyError as error:
                pace.faulted(sent_at, self.clock())
                pace.waiting_for = error
                if attempt >= self.busy_attempts:
                    raise
                self._wait(attempt, self.busy_cap_seconds)
                attempt += 1
            except TransientError:
                pace.faulted(sent_at, self.clock())
                if attempt >= self.attempts or not budget.take():
                    raise
                self._wait(attempt, self.cap_seconds)
                attempt += 1
            else:
                pace.answered(sent_at, self.clock(), size_bytes)
                budget.earn()
                return answer

    def _wait(self, attempt: int, cap_seconds: float) -> None:
        self.sleep(random.uniform(0, min(cap_seconds, self.base_seconds * 2**attempt)))
