"""A container's process in its own group: started, stopped with a grace period, its peak memory measured."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

GUARD = Path(__file__).with_name("guard.py")
LIFELINE, _HELD = os.pipe()  # the kernel closes it however this process ends
RSS_UNIT = 1 if sys.platform == "darwin" else 1024


class Process:
    """A container's process, under a guard that ends it with this process. Its output goes to `log`."""

    def __init__(self, command: Sequence[str], directory: Path, environment: Mapping[str, str], log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                [sys.executable, "-I", "-S", str(GUARD), str(LIFELINE), *command],
                cwd=directory,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[LIFELINE],
            )
        self._ended = threading.Event()

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def is_running(self) -> bool:
        return not self._ended.is_set()

    def wait(self) -> tuple[int, int]:
        """Wait for the end; returns (exit code, peak memory in bytes). Call it once.

        A signal's exit code is 128 + its number, as containers report it. The peak is an upper bound, because the
        kernel includes the moment before `exec`.
        """
        _, status, usage = os.wait4(self._popen.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        # `wait4` has reaped the process, so Popen must not wait for it.
        self._popen.returncode = code
        self._ended.set()
        self._signal(signal.SIGKILL)  # child processes that are still running
        return (code if code >= 0 else 128 - code), usage.ru_maxrss * RSS_UNIT

    def stop(self, grace_seconds: float) -> None:
        """Send SIGTERM, then SIGKILL after `grace_seconds`. Another thread must be in `wait`."""
        if self.is_running:
            self._signal(signal.SIGTERM)
            if not self._ended.wait(grace_seconds):
                self._signal(signal.SIGKILL)
                self._ended.wait()

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, number)
