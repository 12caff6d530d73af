from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from local import processes
from local.processes import Daemon, start
from local.shim.process import Process

PARENT = """
import subprocess, sys, time, pathlib
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
pathlib.Path("child").write_text(str(child.pid)); print("started", flush=True); time.sleep(60)
"""


def daemon(folder: Path, program: str, lifeline: int | None = None) -> Daemon:
    return start(
        "daemon",
        [sys.executable, "-c", program, str(folder)],
        environment={},
        directory=folder,
        log=folder / "daemon.log",
        mark=str(folder),
        lifeline=lifeline,
    )


def wait_for(path: Path) -> str:
    deadline = time.monotonic() + 10
    while not (path.exists() and path.read_text()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return path.read_text()


def has_ended(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while processes._command_line(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not processes._command_line(pid)


def test_stop_ends_the_whole_group(tmp_path: Path) -> None:
    running = daemon(tmp_path, PARENT)
    child = int(wait_for(tmp_path / "child"))
    assert running.is_running
    assert processes._command_line(child)

    running.stop()

    assert not running.is_running
    assert has_ended(child)
    assert (tmp_path / "daemon.log").read_text() == "started\n"


def test_stop_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.2)
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    running = daemon(tmp_path, stubborn)
    wait_for(tmp_path / "daemon.log")
    running.stop()
    assert not running.is_running


def test_a_process_with_the_same_number_is_not_ours(tmp_path: Path) -> None:
    running = daemon(tmp_path, "import time; time.sleep(60)")
    other = replace(running, mark="/another/folder")
    assert not other.is_running
    other.stop()
    assert running.is_running
    running.stop()


def test_ends_with_its_lifeline(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    running = daemon(tmp_path, "import os; os.read(0, 1)", lifeline=reading)
    os.close(reading)
    assert running.is_running
    os.close(writing)
    deadline = time.monotonic() + 10
    while running.is_running and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not running.is_running


def test_complaint_shows_the_end_of_the_log(tmp_path: Path) -> None:
    running = daemon(tmp_path, "raise SystemExit('no port is free')")
    while running.is_running:
        time.sleep(0.01)
    assert str(running.complaint()).endswith("daemon.log:\nno port is free")


def test_exit_code_of_a_signal_is_a_containers(tmp_path: Path) -> None:
    process = Process([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"], tmp_path, {}, tmp_path / "log")
    code, peak = process.wait()
    assert code == 137
    assert 1_000_000 < peak < 10_000_000_000
    assert not process.is_running
