"""Start a server as a process on this machine, on a free loopback port."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_tools.conformance.client import Client
from model_tools.conformance.starting import wait_until_ready

INHERITED = ("PATH", "LANG", "TMPDIR", "SYSTEMROOT")


@dataclass(frozen=True)
class Command:
    """How to start a server. SAGEMAKER_BIND_TO_PORT and DROPSCORE_BIND_HOST tell it where to listen."""

    words: Sequence[str]
    directory: Path
    environment: Mapping[str, str]
    start_timeout_seconds: float


class Process:
    def __init__(self, command: Command) -> None:
        """Start it and wait until /ping replies 200. Raises NotStartedError."""
        port = _free_port()
        self._command = command
        self._log = tempfile.NamedTemporaryFile(prefix="dropscore-check-", suffix=".log")  # noqa: SIM115  until `close`
        self._popen = subprocess.Popen(
            list(command.words),
            cwd=command.directory,
            env=_environment(command.environment, port),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.client = Client(f"http://127.0.0.1:{port}")
        try:
            self.start_seconds: float | None = wait_until_ready(
                self.client, lambda: self._popen.poll() is None, self.log, command.start_timeout_seconds
            )
        except BaseException:
            self.close()
            raise

    def log(self) -> str:
        return Path(self._log.name).read_text(errors="replace")

    def pid(self) -> int:
        return self._popen.pid

    def another(self) -> Process:
        return Process(self._command)

    def terminate(self, within_seconds: float) -> int | None:
        self._popen.terminate()
        try:
            return self._popen.wait(within_seconds)
        except subprocess.TimeoutExpired:
            return None

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
        self._log.close()


def _environment(own: Mapping[str, str], port: int) -> dict[str, str]:
    """Return an environment as in a container: of this machine's variables, only those that programs need."""
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {**kept, "SAGEMAKER_BIND_TO_PORT": str(port), "DROPSCORE_BIND_HOST": "127.0.0.1", **own}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
