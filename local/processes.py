"""The cloud's own processes: started apart from the terminal, found again by their command line, ended for good."""

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
    """A pipe. Who holds its writing end is alive; who watches its reading end notices the end of all who hold it.

    The kernel closes the pipe, however a process ends: by `kill -9` too.
    """

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()

    def release(self) -> None:
        """Let those who watch go on alone."""
        os.write(self.writing, b".")

    def close(self) -> None:
        for end in (self.reading, self.writing):
            with contextlib.suppress(OSError):
                os.close(end)


@dataclass(frozen=True)
class Daemon:
    """A process that leads a group of its own. `mark` is a word of its command line that no other program has."""

    name: str
    pid: int
    mark: str
    log: Path

    @property
    def is_running(self) -> bool:
        """Whether this very process runs, and not another that was given its number."""
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)
        return self.mark in _command_line(self.pid)

    def stop(self) -> None:
        """SIGTERM, wait, then end what is left of the group, such as Lambda workers."""
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

    def complaint(self) -> CloudError:
        tail = self.log.read_text(errors="replace").strip().splitlines()[-15:] if self.log.exists() else []
        return CloudError(f"the {self.name} did not start; the end of {self.log}:\n" + "\n".join(tail))


def _command_line(pid: int) -> str:
    """The command line of a process that has not ended; empty for none and for a zombie."""
    proc = Path(f"/proc/{pid}/cmdline")
    if Path("/proc/self").exists():  # Linux, where a small system may lack `ps`
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
    """Start a daemon, whose files only the owner may read. It ends when one of the lifelines that it watches does."""
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
        time.sleep(0.001)  # the kernel shows a new command line a moment after `exec` has returned to us
    process.returncode = 0  # Daemon waits for it; silences the warning when this object goes away before the process
    return Daemon(name, process.pid, mark, log)
