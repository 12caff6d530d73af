"""Read untrusted files in separate processes, with one budget of time and memory for all of them.

The child limits itself before it reads anything (`model_tools.sandbox.bounded`): address space, CPU seconds, no core
dump. The parent checks elapsed time and memory, and kills the child. Results are files; a failure has a code.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from model_tools.errors import Code, ModelImportError, UnsafePickleError
from model_tools.sandbox.budget import MIB

BOUNDED = Path(__file__).with_name("bounded.py")
POLL_SECONDS = 0.01
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")  # no credentials
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
STDERR_TAIL_BYTES = 4096
HELP = (
    "If you trust the model, load it where it was made and import the file that save_model('model.ubj') writes, "
    "which needs the least time and memory"
)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """`cpu_seconds` and `wall_seconds` are for all processes of one artifact together; the bytes, for each process.

    `address_bytes` is far above what a process uses, because libraries and threads reserve more than they use.
    """

    cpu_seconds: float
    wall_seconds: float
    address_bytes: int
    base_resident_bytes: int = 400 * MIB
    resident_factor: int = 16

    @classmethod
    def of(cls, artifact_bytes: int) -> Limits:
        size = artifact_bytes / MIB
        return cls(cpu_seconds=6 + size, wall_seconds=60 + 10 * size, address_bytes=2048 * MIB + 4 * artifact_bytes)

    def resident_bytes(self, read_bytes: int) -> int:
        """Return the limit for a process that reads so much: XGBoost uses 11 times the size of JSON, 4 of UBJSON."""
        return max(self.base_resident_bytes, 128 * MIB + self.resident_factor * read_bytes)


class Sandbox:
    """`folder` is shared with the processes; `memory_of` returns the bytes that a process uses."""

    def __init__(self, folder: Path, limits: Limits, memory_of: Callable[[int], int] | None = None) -> None:
        self.folder = folder
        self.limits = limits
        self.memory_of = memory_of or resident_bytes
        self.cpu_left = limits.cpu_seconds
        self.deadline = time.monotonic() + limits.wall_seconds

    def run(self, python: Path, module: str, *arguments: str, read_bytes: int) -> None:
        """Run `module`'s main(*arguments) in a process. `read_bytes` is the size of its input.

        Raises ModelImportError with the reason.
        """
        report = self.folder / "report.json"
        words = (str(report), str(self.limits.address_bytes), str(max(self.cpu_left, 1)), module, *arguments)
        with (self.folder / "stderr").open("wb") as stderr:
            process = subprocess.Popen(
                # -I: neither the current folder nor PYTHON… variables decide what is imported.
                [str(python), "-I", str(BOUNDED), *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                env={**{name: os.environ[name] for name in INHERITED if name in os.environ}, **ONE_THREAD},
                start_new_session=True,
            )
        code, excess = self._wait(process, self.limits.resident_bytes(read_bytes))
        if code != 0 or excess:
            self._explain(code, excess, report)

    def _wait(self, process: subprocess.Popen[bytes], resident_limit: int) -> tuple[int, Code | None]:
        """Return the exit code, and the limit of the parent that the process exceeded."""
        excess: Code | None = None
        try:
            while True:
                ended, status, usage = os.wait4(process.pid, os.WNOHANG)
                if ended:
                    process.returncode = os.waitstatus_to_exitcode(status)
                    self.cpu_left -= usage.ru_utime + usage.ru_stime
                    return process.returncode, excess
                if excess is None and (excess := self._excess(process.pid, resident_limit)):
                    process.kill()
                time.sleep(POLL_SECONDS)
        finally:
            if process.returncode is None:  # interrupted
                process.kill()
                process.wait()

    def _excess(self, pid: int, resident_limit: int) -> Code | None:
        if time.monotonic() > self.deadline:
            return Code.TIMED_OUT
        return Code.OUT_OF_MEMORY if self.memory_of(pid) > resident_limit else None

    def _explain(self, code: int, excess: Code | None, report: Path) -> NoReturn:
        if excess is None and report.exists():
            found = json.loads(report.read_text())
            if found["code"] == Code.UNSAFE_PICKLE:
                raise UnsafePickleError(found["message"])
            raise ModelImportError(found["message"], code=Code(found["code"]))
        reason = excess or self._reason(code)
        if reason is Code.TIMED_OUT:
            message = f"reading the model took longer than a file of its size should need, so it was stopped. {HELP}"
        elif reason is Code.OUT_OF_MEMORY:
            message = (
                f"reading the model took more memory than a file of its size should need, so it was stopped. {HELP}"
            )
        else:
            message = (
                f"reading the model crashed ({_name(code)}): the file is damaged, or has an unknown format. {HELP}"
            )
        raise ModelImportError(message, code=reason)

    def _reason(self, code: int) -> Code:
        if code == -signal.SIGXCPU:
            return Code.TIMED_OUT
        tail = (self.folder / "stderr").read_bytes()[-STDERR_TAIL_BYTES:]
        if code == -signal.SIGKILL or b"bad_alloc" in tail or b"MemoryError" in tail:
            return Code.OUT_OF_MEMORY  # the system's out-of-memory killer gives no reason
        return Code.CRASHED


def _name(code: int) -> str:
    return signal.Signals(-code).name if -code in set(signal.Signals) else f"exit code {code}"


def resident_bytes(pid: int) -> int:
    """Return the memory that a process uses; 0 after it has ended."""
    statm = Path(f"/proc/{pid}/statm")
    if not Path("/proc/self/statm").exists():
        return resident_bytes_by_ps(pid)
    try:
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def resident_bytes_by_ps(pid: int) -> int:
    """Return the same on macOS, which has no /proc."""
    done = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return int(done.stdout.strip() or 0) * 1024
