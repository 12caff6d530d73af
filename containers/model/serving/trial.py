"""Work on a file that nobody vouches for, tried in a child process first: it may crash, hang, or want all memory."""

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
    """Why the work cannot be done, in words for the log."""


class InterruptedTrialError(Exception):
    """The server was asked to stop in the meantime."""


def attempt(work: Callable[[], object], *, seconds: float, memory_bytes: int, is_stopped: Callable[[], bool]) -> None:
    """Do `work` in a copy of this process. A TrialError when it fails there, in whatever way.

    Forking is safe here only because no thread of Python's, Arrow's or XGBoost's runs yet.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _work_in_child(work, writer, memory_bytes)
    os.close(writer)
    try:
        word = _word_of(reader, seconds, is_stopped)
    finally:
        status = _ended(child)
        os.close(reader)
    if word is None:
        raise TrialError(f"trying the model did not finish within {seconds:.0f} seconds")
    if word != _DONE:
        raise TrialError(
            word.decode() or f"trying the model ended with {_end_of(status)}: the file is damaged, or no model"
        )


def _work_in_child(work: Callable[[], object], writer: int, memory_bytes: int) -> NoReturn:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (sys.stdout.fileno(), sys.stderr.fileno()):  # warnings come again when the parent does the work
        os.dup2(nowhere, descriptor)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.write(writer, _word_on(work, memory_bytes))
    os._exit(0)


def _word_on(work: Callable[[], object], memory_bytes: int) -> bytes:
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
    """This process may grow by so much meanwhile. Not on macOS, which has no such limit."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    statm = Path("/proc/self/statm")
    if statm.exists():
        now = int(statm.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + memory_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def _word_of(reader: int, seconds: float, is_stopped: Callable[[], bool]) -> bytes | None:
    """What the child says; empty when it died without a word, None when it takes too long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if is_stopped():
            raise InterruptedTrialError
        if select.select([reader], [], [], POLL_SECONDS)[0]:
            return os.read(reader, 1 << 16)
    return None


def _ended(child: int) -> int:
    """Its status; killed first, unless it has ended by itself. The pipe closes a moment before a crashed child ends."""
    for _ in range(10):
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return status
        time.sleep(POLL_SECONDS / 10)
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def _end_of(status: int) -> str:
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return f"exit code {os.WEXITSTATUS(status)}"
