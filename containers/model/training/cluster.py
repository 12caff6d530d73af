"""Several hosts as one: XGBoost's own collective, kept together by a tracker on the first host."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
from xgboost import collective
from xgboost.tracker import RabitTracker

from model.training.errors import TrainingError
from model.training.hosts import Hosts
from model.training.progress import say

PORT = 9099
START_SECONDS = 600  # a host may still be pulling its data
SILENCE_SECONDS = 1800
T = TypeVar("T")


@contextmanager
def together(hosts: Hosts) -> Iterator[None]:
    """Inside, XGBoost's sums and quantiles are those of all hosts."""
    if hosts.is_alone:
        yield
        return
    port = int(os.environ.get("DROPSCORE_TRACKER_PORT", PORT))
    address = _address(hosts.names[0])
    tracker = _tracker(hosts, address, port) if hosts.is_first else None
    if not tracker:
        _wait_for_tracker(address, port)
    say(f"host {hosts.index + 1} of {len(hosts.names)} joins {hosts.names[0]}:{port}")
    with collective.CommunicatorContext(**_worker(hosts, address, port)):
        yield
    if tracker:
        tracker.wait_for(60)


def _tracker(hosts: Hosts, address: str, port: int) -> RabitTracker:
    tracker = RabitTracker(n_workers=len(hosts.names), host_ip=address, port=port, sortby="task", timeout=START_SECONDS)
    tracker.start()
    return tracker


def _worker(hosts: Hosts, address: str, port: int) -> dict[str, int | str]:
    """Sorted by task, ranks are the hosts' order: the first host is rank 0."""
    return {
        "dmlc_communicator": "rabit",
        "dmlc_tracker_uri": address,
        "dmlc_tracker_port": port,
        "dmlc_task_id": f"{hosts.index:05d}",
        "dmlc_timeout": SILENCE_SECONDS,
    }


def _wait_for_tracker(address: str, port: int) -> None:
    """XGBoost's own retries last six seconds; hosts start further apart than that."""
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            with socket.create_connection((address, port), timeout=10):
                return
        except OSError as error:
            if time.monotonic() > end:
                raise TrainingError(
                    f"the first host does not answer at {address}:{port} within {START_SECONDS} s: {error}. "
                    "Its own log says why; the hosts must be able to reach each other"
                ) from error
            time.sleep(0.5)


def _address(name: str) -> str:
    """Names of hosts that start at the same time take a while to resolve."""
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            return socket.gethostbyname(name)
        except OSError as error:
            if time.monotonic() > end:
                raise TrainingError(f"host {name} of resourceconfig.json cannot be found: {error}") from error
            time.sleep(1)


def any_of(is_true: bool, hosts: Hosts) -> bool:
    """Whether it is so on any host; all hosts get the same answer."""
    if hosts.is_alone:
        return is_true
    return bool(collective.allreduce(np.array([int(is_true)], dtype=np.int32), collective.Op.MAX)[0])


def from_first(value: T, hosts: Hosts) -> T:
    """The first host's value."""
    return gathered(value, hosts)[0]


def gathered(value: T, hosts: Hosts) -> list[T]:
    """Each host's value, in the hosts' order."""
    if hosts.is_alone:
        return [value]
    # In a list of its own, because None cannot be sent.
    return [collective.broadcast([value], root)[0] for root in range(len(hosts.names))]
