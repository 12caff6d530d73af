"""Runs what touches a stranger's file in processes of their own, with one budget of time and memory for all of them.

The child limits itself before it reads anything (`model_tools.sandbox.bounded`): address space, CPU seconds, no core dump. The
parent watches the clock and the memory in use, and kills. What comes back is files, and for what went wrong a code.
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
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")  # no credentials among them
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
STDERR_TAIL_BYTES = 4096
HELP = (
    "If it is a model that you trust, load it where it was made and import what save_model('model.ubj') writes, "
    "which takes the least time and memory to read"
)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """`cpu_seconds` and `wall_seconds` are for all processes of one artifact together, the bytes for each of them.

    `address_bytes` is far above what a process uses: libraries and threads reserve more than they touch.
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
        """For a process that reads so many: XGBoost takes eleven times the size of JSON, four times that of UBJSON."""
        return max(self.base_resident_bytes, 128 * MIB + self.resident_factor * read_bytes)


class Sandbox:
    """`folder` is shared with the processes; `memory_of` gives the bytes that a process id has in use."""

    def __init__(self, folder: Path, limits: Limits, memory_of: Callable[[int], int] | None = None) -> None:
        self.folder = folder
        self.limits = limits
        self.memory_of = memory_of or resident_bytes
        self.cpu_left = limits.cpu_seconds
        self.deadline = time.monotonic() + limits.wall_seconds

    def run(self, python: Path, module: str, *arguments: str, read_bytes: int) -> None:
        """`module`'s main(*arguments), or ModelImportError with the reason. `read_bytes`: how large its input is."""
        report = self.folder / "report.json"
        words = (str(report), str(self.limits.address_bytes), str(max(self.cpu_left, 1)), module, *arguments)
        with (self.folder / "stderr").open("wb") as stderr:
            process = subprocess.Popen(
                [str(python), "-I", str(BOUNDED), *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                env={**{name: os.environ[name] for name in KEPT if name in os.environ}, **ONE_THREAD},
                start_new_session=True,
            )
        code, excess = self._wait(process, self.limits.resident_bytes(read_bytes))
        if code != 0 or excess:
            self._explain(code, excess, report)

    def _wait(self, process: subprocess.Popen[bytes], resident_limit: int) -> tuple[int, Code | None]:
        """The exit code, and which limit of the parent's it was over."""
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
                raise UnsafePickleError(found["said"])
            raise ModelImportError(found["said"], code=Code(found["code"]))
        reason = excess or self._reason(code)
        if reason is Code.TIMED_OUT:
            said = f"reading the model takes longer than a file of its size needs; it was stopped. {HELP}"
        elif reason is Code.OUT_OF_MEMORY:
            said = f"reading the model takes more memory than a file of its size needs; it was stopped. {HELP}"
        else:
            said = f"what reads the model crashed ({_name(code)}): the file is damaged, or of an unknown form. {HELP}"
        raise ModelImportError(said, code=reason)

    def _reason(self, code: int) -> Code:
        if code == -signal.SIGXCPU:
            return Code.TIMED_OUT
        tail = (self.folder / "stderr").read_bytes()[-STDERR_TAIL_BYTES:]
        if code == -signal.SIGKILL or b"bad_alloc" in tail or b"MemoryError" in tail:
            return Code.OUT_OF_MEMORY  # the system's own killer does not say why
        return Code.CRASHED


def _name(code: int) -> str:
    return signal.Signals(-code).name if -code in set(signal.Signals) else f"exit code {code}"


def resident_bytes(pid: int) -> int:
    """The memory that a process has in use; 0 once it has ended."""
    statm = Path(f"/proc/{pid}/statm")
    if not Path("/proc/self/statm").exists():
        return resident_bytes_by_ps(pid)
    try:
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def resident_bytes_by_ps(pid: int) -> int:
    """Where there is no /proc: macOS."""
    done = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return int(done.stdout.strip() or 0) * 1024
