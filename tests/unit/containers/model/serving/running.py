"""The server as a process, and raw sockets to it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.unit.containers.model.serving.conftest import CONTAINER

HAS_PROC = Path("/proc/self/status").exists()
LIMIT_SECONDS = 10
PATIENCE_SECONDS = 60  # for an answer, where other processes want all cores


@dataclass(frozen=True)
class Running:
    process: subprocess.Popen[str]
    port: int

    def cpu_seconds(self) -> float:
        """Return the CPU seconds of its threads, which do not depend on other load of the machine."""
        if not HAS_PROC:
            return time.monotonic()
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_megabytes(self) -> int:
        if not HAS_PROC:
            pytest.skip("the peak of another process's memory is read from /proc, which this system lacks")
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text())
        assert found
        return int(found[1]) // 1024

    @contextlib.contextmanager
    def connected(self) -> Iterator[socket.socket]:
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS) as talk:
            yield talk

    def exchange(self, request: bytes) -> bytes:
        """Return all bytes until the server closes the connection, or pauses."""
        with self.connected() as talk:
            send(talk, request)
            with contextlib.suppress(OSError):
                talk.shutdown(socket.SHUT_WR)
            return rest_of(talk)


def send(talk: socket.socket, data: bytes) -> None:
    with contextlib.suppress(ConnectionError):  # refused in the middle
        talk.sendall(data)


def rest_of(talk: socket.socket) -> bytes:
    answer, end = b"", time.monotonic() + PATIENCE_SECONDS
    with contextlib.suppress(ConnectionError):
        while time.monotonic() < end and (chunk := talk.recv(1 << 16)):
            answer += chunk
    return answer


@contextlib.contextmanager
def running(model: Path, **environment: str) -> Iterator[Running]:
    process = started(model, **environment)
    try:
        ready = event(process)
        assert ready["event"] == "ready", ready
        threading.Thread(target=_read_on, args=(process,), daemon=True).start()
        yield Running(process, int(str(ready["port"])))
    finally:
        process.kill()
        process.wait()


def _read_on(process: subprocess.Popen[str]) -> None:
    """Read the pipe: if it is full, the server blocks."""
    assert process.stdout is not None
    with process.stdout as log:
        for _ in log:
            pass


def started(model: Path, **environment: str) -> subprocess.Popen[str]:
    env = {**os.environ, "SM_MODEL_DIR": str(model), "DROPSCORE_BIND_HOST": "127.0.0.1", **of_the_image()}
    env |= {"SAGEMAKER_BIND_TO_PORT": "0", "PYTHONUNBUFFERED": "1", **environment}
    return subprocess.Popen([sys.executable, str(CONTAINER / "serve.py")], env=env, stdout=subprocess.PIPE, text=True)


def of_the_image() -> dict[str, str]:
    """The memory and thread settings that the image gives its server."""
    text = (CONTAINER / "Dockerfile").read_text()
    return dict(re.findall(r"\b((?:MALLOC|OMP|OPENBLAS)\w+)=(\w+)", text))


def event(process: subprocess.Popen[str]) -> dict[str, object]:
    assert process.stdout is not None
    found: dict[str, object] = json.loads(process.stdout.readline())
    return found


def post(body: bytes, kind: str = "text/csv", *headers: str) -> bytes:
    lines = ["POST /invocations HTTP/1.1", "Host: x", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def status_and_code(answer: bytes) -> tuple[int, str]:
    """Return the code of a reply; empty if it is not a refusal."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 "), answer[:200]
    code = json.loads(body.splitlines()[0])["code"] if b"application/json" in head else ""
    return int(head.split()[1]), code
