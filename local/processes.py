"""The cloud's processes: started detached from the terminal, recognized by their command line, stopped as groups."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dropscore.errors import CloudError

STOP_SECONDS = 45.0
POLL_SECONDS = 0.05


class Lifeline:
    """A pipe that shows whether any of its holders is alive.

    A watcher's read on the reading end returns when the last holder of the writing end has ended. The kernel closes
    the pipe even after `kill -9`.
    """

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()

    def release(self) -> None:
        """Let one watcher continue without the holders."""
        os.write(self.writing, b".")

    def close(self) -> None:
        for end in (self.reading, self.writing):
            with contextlib.suppress(OSError):
                os.close(end)


@dataclass(frozen=True)
class Daemon:
    """A process that leads its own group. `mark` is text that only its command line contains."""

    name: str
    pid: int
    mark: str
    log: Path

    @property
    def is_running(self) -> bool:
        """Whether this process runs; another process that reuses the pid does not count."""
        # A child that has ended keeps its process id until it is waited for.
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)
        return self.mark in _command_line(self.pid)

    def stop(self) -> None:
        """Send SIGTERM, wait, then kill the rest of the group, such as Lambda workers."""
        if not self.is_running:
            return
        os.kill(self.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while self.is_running and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        while self.is_running:
            time.sleep(POLL_SECONDS)

    def start_error(self) -> CloudError:
        tail = self.log.read_text(errors="replace").strip().splitlines()[-15:] if self.log.exists() else []
        return CloudError(f"the {self.name} did not start; the end of {self.log}:\n" + "\n".join(tail))


def _command_line(pid: int) -> str:
    """The command line of a running process; empty if there is none or it is a zombie."""
    proc = Path(f"/proc/{pid}/cmdline")
    if Path("/proc/self").exists():  # Linux; small systems may lack `ps`
        with contextlib.suppress(OSError):
            return proc.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return ""
    listed = subprocess.run(
        ["ps", "-ww", "-o", "stat=,args=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return "" if listed.startswith("Z") else listed


def start(
    name: str,
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    directory: Path,
    log: Path,
    mark: str,
    watches: Sequence[Lifeline] = (),
    holds: Sequence[Lifeline] = (),
    pass_fds: Sequence[int] = (),
) -> Daemon:
    """Start a daemon whose files only the owner can read. It ends when a lifeline in `watches` ends."""
    log.parent.mkdir(parents=True, exist_ok=True)
    watched = [lifeline.reading for lifeline in watches]
    with log.open("ab") as output:
        process = subprocess.Popen(
            list(command),
            cwd=directory,
            env={**environment, "DROPSCORE_LIFELINES": " ".join(map(str, watched))},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=0o077,
            pass_fds=[*pass_fds, *watched, *(lifeline.writing for lifeline in holds)],
        )
    while process.poll() is None and mark not in _command_line(process.pid):
        time.sleep(0.001)  # the new command line appears a moment after `exec`
    process.returncode = 0  # Daemon waits for the process; this silences Popen's ResourceWarning
    return Daemon(name, process.pid, mark, log)
