"""Limits the requests in flight to what the endpoint handles quickly, and limits retries."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from dropscore.errors import BusyError, ModelChangedError, TransientError

SLOW = 4.0  # times the best seconds per byte so far: then the endpoint queues requests, and more of them do not help
GRACE = 8  # replies before latency has an effect


class Pace:
    """Additive increase, multiplicative decrease of the requests in flight, between 1 and `max_requests`.

    A quick reply adds 1/size, so that a full round of them adds one; a transient error, or a reply SLOW times slower
    per byte than the best one, halves the size. Requests that were sent before the last halving never halve it again.
    """

    def __init__(self, max_requests: int) -> None:
        self._max_requests = max_requests
        # Starts low, because the endpoint's capacity is unknown and other workers may use it too.
        self._size = float(min(2, max_requests))
        self._best = float("inf")
        self._answers = 0
        self._halved_at = float("-inf")
        self.waiting_for: BusyError | None = None
        """The error of the last reply, if it was that the endpoint is busy."""
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        return int(self._size)

    def answered(self, sent_at: float, now: float, size_bytes: int) -> None:
        with self._lock:
            self.waiting_for = None
            # Per byte, because requests differ in length: halved ones and the last one of a file are short.
            cost = (now - sent_at) / size_bytes
            self._best = min(self._best, cost)
            self._answers += 1
            if self._answers > GRACE and cost > SLOW * self._best:
                self._halve(sent_at, now)
            else:
                self._size = min(self._max_requests, self._size + 1 / self._size)

    def faulted(self, sent_at: float, now: float) -> None:
        with self._lock:
            self._halve(sent_at, now)

    def _halve(self, sent_at: float, now: float) -> None:
        if sent_at >= self._halved_at:
            self._size = max(1.0, self._size / 2)
            self._halved_at = now


class Budget:
    """Tokens for retries: a retry costs `cost`, a reply earns `gain`, and `capacity` is the start and the maximum.

    So an endpoint that replies now and then gets many retries, and one that never replies gets capacity/cost of them.
    """

    def __init__(self, capacity: int = 500, cost: int = 5, gain: int = 1) -> None:
        self._capacity, self._cost, self._gain = capacity, cost, gain
        self._left = capacity
        self._lock = threading.Lock()

    def earn(self) -> None:
        with self._lock:
            self._left = min(self._capacity, self._left + self._gain)

    def take(self) -> bool:
        """Takes the tokens for one retry; False if too few are left."""
        with self._lock:
            if self._left < self._cost:
                return False
            self._left -= self._cost
            return True


@dataclass(frozen=True, kw_only=True)
class Retry:
    """Waits up to base × 2^n seconds (full jitter, at most the cap) between at most `attempts` tries of a call.

    A busy endpoint gets `busy_attempts` tries, with longer waits and without a budget: so each of many workers gets its
    turn, and an endpoint without instances has about 20 minutes to start one.
    """

    attempts: int = 6
    base_seconds: float = 0.5
    cap_seconds: float = 20.0
    busy_attempts: int = 40
    busy_cap_seconds: float = 60.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def __call__(self, call: Callable[[], bytes], size_bytes: int, pace: Pace, budget: Budget) -> bytes:
        """The call's reply; updates `pace` and `budget`. Raises the TransientError of the last try."""
        attempt = 1
        while True:
            sent_at = self.clock()
            try:
                answer = call()
            # A TransientError, so it must come first: another try would reach the new model as well.
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
        # Full jitter, so that requests that failed together are not sent again together.
        self.sleep(random.uniform(0, min(cap_seconds, self.base_seconds * 2**attempt)))
