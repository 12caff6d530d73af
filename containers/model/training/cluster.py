"""Train on several hosts as one: XGBoost's collective, with a tracker on the first host."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from xgboost import collective
from xgboost.tracker import RabitTracker

from model.training.errors import TrainingError
from model.training.progress import print_line

PORT = 9099
START_SECONDS = 600  # a host may still be downloading its data
SILENCE_SECONDS = 1800
ALONE = "algo-1"
T = TypeVar("T")


@dataclass(frozen=True)
class Hosts:
    """`names` in the same order on every host. The first host runs the tracker and saves the model."""

    names: tuple[str, ...]
    current: str

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Hosts:
        """Read resourceconfig.json: which hosts train together, and which one this is. Raises TrainingError."""
        names = config.get("hosts", [ALONE])
        current = config.get("current_host", names[0] if isinstance(names, list) and names else ALONE)
        if not isinstance(names, list) or not names or len(set(names)) != len(names) or current not in names:
            raise TrainingError("resourceconfig.json: `hosts` must list each host once, `current_host` among them")
        # Sorted, so that all hosts agree which one is the first.
        return cls(tuple(sorted(names)), current)

    @property
    def index(self) -> int:
        return self.names.index(self.current)

    @property
    def is_first(self) -> bool:
        return self.index == 0

    @property
    def is_alone(self) -> bool:
        return len(self.names) == 1


@contextmanager
def together(hosts: Hosts) -> Iterator[None]:
    """Inside, XGBoost computes sums and quantiles over all hosts. Raises TrainingError if a host cannot be reached."""
    if hosts.is_alone:
        yield
        return
    port = int(os.environ.get("DROPSCORE_TRACKER_PORT", PORT))
    address = _address(hosts.names[0])
    # The tracker must listen before any host joins, the first one included.
    tracker = _tracker(hosts, address, port) if hosts.is_first else None
    if not tracker:
        _wait_for_tracker(address, port)
    print_line(f"host {hosts.index + 1} of {len(hosts.names)} joins {hosts.names[0]}:{port}")
    with collective.CommunicatorContext(**_worker(hosts, address, port)):
        yield
    if tracker:
        tracker.wait_for(60)


def _tracker(hosts: Hosts, address: str, port: int) -> RabitTracker:
    tracker = RabitTracker(n_workers=len(hosts.names), host_ip=address, port=port, sortby="task", timeout=START_SECONDS)
    tracker.start()
    return tracker


def _worker(hosts: Hosts, address: str, port: int) -> dict[str, int | str]:
    """The tracker sorts by task id, so ranks follow the order of hosts: the first host is rank 0."""
    return {
        "dmlc_communicator": "rabit",
        "dmlc_tracker_uri": address,
        "dmlc_tracker_port": port,
        "dmlc_task_id": f"{hosts.index:05d}",
        "dmlc_timeout": SILENCE_SECONDS,
    }


def _wait_for_tracker(address: str, port: int) -> None:
    """Wait for the first host: XGBoost retries for six seconds only, and hosts start further apart than that."""
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            with socket.create_connection((address, port), timeout=10):
                return
        except OSError as error:
            if time.monotonic() > end:
                raise TrainingError(
                    f"the first host did not answer at {address}:{port} within {START_SECONDS} s: {error}. "
                    "See its log, and check that the hosts can reach each other"
                ) from error
            time.sleep(0.5)


def _address(name: str) -> str:
    """Return a host's IP address; wait, because names of hosts that are starting take a while to resolve."""
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            return socket.gethostbyname(name)
        except OSError as error:
            if time.monotonic() > end:
                raise TrainingError(f"host {name} of resourceconfig.json cannot be resolved: {error}") from error
            time.sleep(1)


def any_of(is_true: bool, hosts: Hosts) -> bool:
    """Return whether `is_true` on any host; all hosts get the same result."""
    if hosts.is_alone:
        return is_true
    return bool(collective.allreduce(np.array([int(is_true)], dtype=np.int32), collective.Op.MAX)[0])


def from_first(value: T, hosts: Hosts) -> T:
    """Return the first host's value."""
    return gathered(value, hosts)[0]


def gathered(value: T, hosts: Hosts) -> list[T]:
    """Return each host's value, in the order of hosts."""
    if hosts.is_alone:
        return [value]
    # In a list, because None cannot be sent.
    return [collective.broadcast([value], root)[0] for root in range(len(hosts.names))]
