"""Metrics as log lines in CloudWatch's embedded metric format, from which CloudWatch makes metrics.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

from dropscore.errors import BusyError, TransientError
from dropscore.log import log
from schema.metrics import NAMESPACE, UNITS

LINE_SECONDS = 60.0  # CloudWatch keeps one value a minute anyway
MAX_VALUES = 100  # of one metric in one line: CloudWatch drops a line with more
Value = float | Sequence[float]
T = TypeVar("T")


def emit(values: Mapping[str, Value], *, environment: str, model: str | None = None) -> None:
    """Writes one line of `values`, in the units of schema/metrics.py, for the environment and, if given, the model."""
    where = {"Environment": environment} | ({"Model": model} if model else {})
    names = list(where)
    directive = {
        "Namespace": NAMESPACE,
        # Two metrics from one line: for the whole environment, and for each of its models.
        "Dimensions": [names[: count + 1] for count in range(len(names))],
        "Metrics": [{"Name": name, "Unit": UNITS[name]} for name in values],
    }
    aws = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    log("measured", _aws=aws, **where, **values)


class Meter:
    """Counts of one worker. Writes at most one line a minute, and one at the end.

    Thread-safe. Keeps a random sample of the request times, because a line may hold only MAX_VALUES of them.
    """

    def __init__(self, environment: str, model: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._where = {"environment": environment, "model": model}
        self._clock = clock
        self._lock = threading.Lock()
        self._written = clock()
        self._counts: Counter[str] = Counter()
        self._times: list[float] = []
        self._in_flight = self._peak = 0

    def count(self, **counts: int) -> None:
        with self._lock:
            self._counts.update(counts)

    def tick(self) -> None:
        """Writes a line if one is due."""
        if self._clock() - self._written >= LINE_SECONDS:
            self.write()

    def write(self) -> None:
        with self._lock:
            values: dict[str, Value] = dict(self._counts)
            values |= {"Latency": self._times} if self._times else {}
            values |= {"ConcurrentRequests": self._peak} if self._peak else {}
            # Requests that are still in flight count for the next line's peak, too.
            self._counts, self._times, self._peak = Counter(), [], self._in_flight
            written, self._written = self._written, self._clock()
        emit({**values, "WorkerTime": round(self._written - written, 3)}, **self._where)

    def measured(self, invoke: Callable[[T], bytes]) -> Callable[[T], bytes]:
        """`invoke`, with each call counted and timed."""

        def measured_invoke(request: T) -> bytes:
            with self._request():
                started = self._clock()
                reply = invoke(request)
                self._count_reply((self._clock() - started) * 1000)
                return reply

        return measured_invoke

    @contextmanager
    def _request(self) -> Iterator[None]:
        with self._lock:
            self._in_flight += 1
            self._peak = max(self._peak, self._in_flight)
        try:
            yield
        except BusyError:
            self.count(Retries=1, Throttles=1)
            raise
        except TransientError:
            self.count(Retries=1)
            raise
        finally:
            with self._lock:
                self._in_flight -= 1

    def _count_reply(self, milliseconds: float) -> None:
        with self._lock:
            self._counts["Requests"] += 1
            if len(self._times) < MAX_VALUES:
                self._times.append(round(milliseconds, 3))
            # Reservoir sampling: every request since the last line is kept with the same probability.
            elif (index := random.randrange(self._counts["Requests"])) < MAX_VALUES:
                self._times[index] = round(milliseconds, 3)


@contextmanager
def metered(environment: str, model: str) -> Iterator[Meter]:
    """A meter that writes its last line at the end of the block, also after an error."""
    meter = Meter(environment, model)
    try:
        yield meter
    finally:
        meter.write()
