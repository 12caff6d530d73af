"""The server as a process: how it starts, refuses to, and stops."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import xgboost

from .conftest import CONTAINER, write

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def run(model: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        env = {**os.environ, "SM_MODEL_DIR": str(model), "DROPSCORE_BIND_HOST": "127.0.0.1"}
        env |= {"SAGEMAKER_BIND_TO_PORT": "0", "PYTHONUNBUFFERED": "1", **environment}
        command = [sys.executable, str(CONTAINER / "serve.py"), *arguments]
        process = subprocess.Popen(command, env=env, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def next_event(process: subprocess.Popen[str]) -> dict[str, object]:
    assert process.stdout is not None
    found: dict[str, object] = json.loads(process.stdout.readline())
    return found


@contextmanager
def connected(process: subprocess.Popen[str]) -> Iterator[http.client.HTTPConnection]:
    ready = next_event(process)
    assert ready["event"] == "ready"
    connection = http.client.HTTPConnection("127.0.0.1", int(str(ready["port"])), timeout=10)
    with closing(connection):
        yield connection


@pytest.mark.parametrize("arguments", [[], ["serve"]])
def test_started_server_answers_and_sigterm_ends_it(
    start: Start, arguments: list[str], booster: xgboost.Booster, tmp_path: Path
) -> None:
    process = start(write(tmp_path / "m", booster), *arguments)
    with connected(process) as connection:
        connection.request("POST", "/invocations", b"1,2,3\n", {"Content-Type": "text/csv"})
        assert connection.getresponse().status == 200
        asked = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert time.monotonic() - asked < 3  # the idle connection above does not hold it up


def test_sigterm_lets_a_running_request_finish(start: Start, booster: xgboost.Booster, tmp_path: Path) -> None:
    process = start(write(tmp_path / "m", booster))
    with connected(process) as connection:
        connection.putrequest("POST", "/invocations")
        connection.putheader("Content-Type", "text/csv")
        connection.putheader("Content-Length", "12")
        connection.endheaders(b"1,2,3\n")
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", connection.port), timeout=2)
        connection.send(b"4,5,6\n")
        response = connection.getresponse()
        assert response.status == 200
        assert response.read().count(b"\n") == 2
    assert process.wait(10) == 0


def test_model_that_is_not_its_manifests_stops_the_start(
    start: Start, booster: xgboost.Booster, tmp_path: Path
) -> None:
    process = start(write(tmp_path / "m", booster, sha256="0" * 64))
    event = next_event(process)
    assert event["event"] == "refused_to_start"
    assert "manifest.json says 0000" in str(event["message"])
    assert process.wait(10) == 1


def test_other_arguments_are_wrong_usage(start: Start, tmp_path: Path) -> None:
    assert start(tmp_path, "train").wait(10) == 2


def test_nothing_of_dropscore_is_imported(start: Start, booster: xgboost.Booster, tmp_path: Path) -> None:
    """The folder alone serves: the container has nothing else."""
    lines = (path.read_text() for path in CONTAINER.rglob("*.py"))
    imports = {line.split()[1].split(".")[0] for text in lines for line in text.splitlines() if _is_import(line)}
    allowed = {*sys.stdlib_module_names, "serving", "numpy", "pyarrow", "xgboost"}
    assert imports - allowed == set()


def _is_import(line: str) -> bool:
    return line.startswith(("import ", "from "))
