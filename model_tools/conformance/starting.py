"""Waiting for a server that was just started."""

from __future__ import annotations

import time
from collections.abc import Callable

from dropscore.errors import DropscoreError
from model_tools.conformance.client import Client

POLL_SECONDS = 0.05


class NotStartedError(DropscoreError):
    """It ended, or never answered /ping with 200; the message says which, and how its log ends."""

    exit_code = 3


class NeverReadyError(NotStartedError):
    """It runs, but does not answer."""


def wait_until_ready(
    client: Client, is_running: Callable[[], bool], log: Callable[[], str], patience_seconds: float
) -> float:
    """The seconds until its first good /ping."""
    began = time.monotonic()
    while client.ping(patience_seconds).status != 200:
        if not is_running():
            raise NotStartedError(f"it ended by itself; its log ends: {_end(log())}")
        if time.monotonic() - began > patience_seconds:
            raise NeverReadyError(f"/ping gave no 200 within {patience_seconds:.0f} s; its log ends: {_end(log())}")
        time.sleep(POLL_SECONDS)
    return time.monotonic() - began


def _end(log: str) -> str:
    return " | ".join(log.strip().splitlines()[-3:]) or "(nothing)"
