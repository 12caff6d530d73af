"""Processes of the deployed code, started by the zygote in milliseconds or as `python containers/worker/main.py`."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PATIENCE_SECONDS = 300.0  # for a busy machine; a gzip bomb takes 18 s on an idle one


class Process:
    """`ended` is set when the process ends; then `status` is its wait status."""

    def __init__(self, process_id: int) -> None:
        self.id = process_id
        self.status: int | None = None
        self.ended = threading.Event()

    @property
    def exit_code(self) -> int:
        """The exit code as reported by a shell and Batch: 128 + the signal number for a killed process."""
        assert self.status is not None
        return 128 + self.killed_by if self.killed_by else os.waitstatus_to_exitcode(self.status)

    @property
    def killed_by(self) -> int:
        assert self.status is not None
        return os.WTERMSIG(self.status) if os.WIFSIGNALED(self.status) else 0

    def send(self, number: signal.Signals) -> None:
        if not self.ended.is_set():
            os.kill(self.id, number)

    def kill(self) -> None:
        """Kills the process and waits for its end."""
        self.send(signal.SIGKILL)
        self.wait()

    def wait(self, seconds: float = PATIENCE_SECONDS) -> None:
        if not self.ended.wait(seconds):
            raise TimeoutError(f"process {self.id} still runs after {seconds:g} s")

    def _end(self, status: int) -> None:
        self.status = status
        self.ended.set()


class Zygote:
    """Forks processes with all imports done."""

    def __init__(self, folder: Path) -> None:
        self._path = str(folder / "zygote")
        environment = {
            "PATH": os.environ["PATH"],
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        self._zygote = subprocess.Popen(
            [sys.executable, str(HERE / "zygote.py"), self._path], env=environment, stdout=subprocess.PIPE
        )
        assert self._zygote.stdout is not None
        if self._zygote.stdout.readline() != b"ready\n":
            raise RuntimeError("the zygote did not start; its output is above")

    def start(self, order: Mapping[str, Any]) -> Process:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self._path)
        wire = connection.makefile("rwb")
        wire.write(json.dumps(order).encode() + b"\n")
        wire.flush()
        process = Process(int(wire.readline()))

        def stand_by() -> None:
            with connection, wire:
                process._end(int(wire.readline() or signal.SIGKILL))

        threading.Thread(target=stand_by, daemon=True).start()
        return process

    def stop(self) -> None:
        self._zygote.kill()
        self._zygote.wait()
        assert self._zygote.stdout is not None
        self._zygote.stdout.close()


def start_worker(arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Process:
    """Starts the container's own command, including the interpreter."""
    with log.open("ab") as stream:
        started = subprocess.Popen(
            [sys.executable, "containers/worker/main.py", *arguments],
            cwd=ROOT,
            env={**environment, "PYTHONPATH": str(ROOT)},
            stdout=stream,
            stderr=stream,
        )
    process = Process(started.pid)

    def stand_by() -> None:
        code = started.wait()
        process._end(-code if code < 0 else code << 8)

    threading.Thread(target=stand_by, daemon=True).start()
    return process
