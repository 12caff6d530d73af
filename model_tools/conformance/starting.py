"""Wait until a server has started."""

from __future__ import annotations

import time
from collections.abc import Callable

from dropscore.errors import DropscoreError
from model_tools.conformance.client import Client

POLL_SECONDS = 0.05


class NotStartedError(DropscoreError):
    """The server ended, or /ping never replied 200; the message says which, and how its log ends."""

    exit_code = 3


class NeverReadyError(NotStartedError):
    """The server is running, but /ping does not reply 200."""


def wait_until_ready(
    client: Client, is_running: Callable[[], bool], log: Callable[[], str], timeout_seconds: float
) -> float:
    """Return the seconds until /ping replied 200. Raises NotStartedError."""
    began = time.monotonic()
    while client.ping(timeout_seconds).status != 200:
        if not is_running():
            raise ended(log())
        if time.monotonic() - began > timeout_seconds:
            raise NeverReadyError(
                f"/ping did not reply 200 within {timeout_seconds:.0f} s; the last lines of its log: {_end(log())}"
            )
        time.sleep(POLL_SECONDS)
    return time.monotonic() - began


def ended(log: str) -> NotStartedError:
    return NotStartedError(f"the server ended during its start; the last lines of its log: {_end(log)}")


def _end(log: str) -> str:
    return " | ".join(log.strip().splitlines()[-3:]) or "(empty)"
