"""Try work on an untrusted file in a child process first: it may crash, hang, or use all memory."""

from __future__ import annotations

import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

POLL_SECONDS = 0.1
_DONE = b"done"


class TrialError(Exception):
    """The work failed in the child process; the message is for the log."""


class InterruptedTrialError(Exception):
    """The server was asked to stop during the trial."""


def attempt(work: Callable[[], object], *, seconds: float, memory_bytes: int, is_stopped: Callable[[], bool]) -> None:
    """Do `work` in a fork of this process.

    Raises TrialError if it fails, crashes or exceeds a limit there, and InterruptedTrialError when `is_stopped`.
    Forking is safe here only because Python, Arrow and XGBoost have not started any threads yet.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _work_in_child(work, writer, memory_bytes)
    os.close(writer)
    try:
        outcome = _read_outcome(reader, seconds, is_stopped)
    finally:
        status = _wait_or_kill(child)
        os.close(reader)
    if outcome is None:
        raise TrialError(f"loading the model took more than {seconds:.0f} seconds")
    if outcome != _DONE:
        raise TrialError(
            outcome.decode()
            or f"loading the model ended with {_describe_exit(status)}: the file is damaged, or is not a model"
        )


def _work_in_child(work: Callable[[], object], writer: int, memory_bytes: int) -> NoReturn:
    # The parent's handlers only set a flag, so the child would outlive SIGTERM.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    devnull = os.open(os.devnull, os.O_WRONLY)
    # The parent prints the same warnings when it does the work.
    for descriptor in (sys.stdout.fileno(), sys.stderr.fileno()):
        os.dup2(devnull, descriptor)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.write(writer, _try(work, memory_bytes))
    os._exit(0)


def _try(work: Callable[[], object], memory_bytes: int) -> bytes:
    try:
        with limited(memory_bytes):
            work()
    except MemoryError:
        return f"the model needs more than {memory_bytes >> 20} MB of memory".encode()
    except Exception as error:  # noqa: BLE001
        return (str(error) or type(error).__name__).encode()
    return _DONE


@contextmanager
def limited(memory_bytes: int) -> Iterator[None]:
    """Let this process grow by `memory_bytes` at most meanwhile. Not on macOS, which has no such limit."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    statm = Path("/proc/self/statm")
    if statm.exists():
        now = int(statm.read_text().split()[0]) * resource.getpagesize()
        # The soft limit only: a lowered hard limit could not be raised again.
        resource.setrlimit(resource.RLIMIT_AS, (now + memory_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def _read_outcome(reader: int, seconds: float, is_stopped: Callable[[], bool]) -> bytes | None:
    """Return what the child wrote; empty if it died before that, None if it takes too long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if is_stopped():
            raise InterruptedTrialError
        if select.select([reader], [], [], POLL_SECONDS)[0]:
            return os.read(reader, 1 << 16)
    return None


def _wait_or_kill(child: int) -> int:
    """Return the child's exit status; kill it unless it exits. The pipe closes just before a crashed child exits."""
    for _ in range(10):
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return status
        time.sleep(POLL_SECONDS / 10)
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def _describe_exit(status: int) -> str:
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return f"exit code {os.WEXITSTATUS(status)}"
