from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from local import processes
from local.deployment.synthesis import ROOT
from local.processes import Daemon, Lifeline, start
from local.shim.process import Process

PARENT = """
import subprocess, sys, time, pathlib
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
pathlib.Path("child").write_text(str(child.pid)); print("started", flush=True); time.sleep(60)
"""


def daemon(folder: Path, program: str, **lifelines: Any) -> Daemon:
    return start(
        "daemon",
        [sys.executable, "-c", program, str(folder)],
        environment={},
        directory=folder,
        log=folder / "daemon.log",
        mark=str(folder),
        **lifelines,
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


def test_stop_kills_after_the_grace_period(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.2)
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    running = daemon(tmp_path, stubborn)
    wait_for(tmp_path / "daemon.log")
    running.stop()
    assert not running.is_running


def test_a_reused_pid_is_not_the_daemon(tmp_path: Path) -> None:
    running = daemon(tmp_path, "import time; time.sleep(60)")
    other = replace(running, mark="/another/folder")
    assert not other.is_running
    other.stop()
    assert running.is_running
    running.stop()


WATCHING = """
import os
for lifeline in os.environ["DROPSCORE_LIFELINES"].split():
    print(os.read(int(lifeline), 1), flush=True)
"""


def test_a_daemon_ends_when_its_holder_is_killed(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    with closing(Lifeline()) as lifeline:
        other = daemon(tmp_path / "one", "import time; time.sleep(60)", holds=[lifeline])
        watching = daemon(tmp_path, WATCHING, watches=[lifeline])
    time.sleep(0.2)
    assert watching.is_running
    os.kill(other.pid, signal.SIGKILL)
    assert has_ended(watching.pid)
    assert (tmp_path / "daemon.log").read_text() == "b''\n"


def test_a_released_daemon_keeps_running(tmp_path: Path) -> None:
    with closing(Lifeline()) as lifeline:
        watching = daemon(tmp_path, WATCHING, watches=[lifeline])
        lifeline.release()
        assert has_ended(watching.pid)
    assert (tmp_path / "daemon.log").read_text() == "b'.'\n"


def test_only_the_owner_can_read_daemon_files(tmp_path: Path) -> None:
    running = daemon(tmp_path, "import pathlib; pathlib.Path('written').write_text('x')")
    assert has_ended(running.pid)
    assert (tmp_path / "written").stat().st_mode & 0o077 == 0


def test_start_error_shows_the_end_of_the_log(tmp_path: Path) -> None:
    running = daemon(tmp_path, "raise SystemExit('no port is free')")
    while running.is_running:
        time.sleep(0.01)
    assert str(running.start_error()).endswith("daemon.log:\nno port is free")


def test_a_signals_exit_code_is_128_plus_its_number(tmp_path: Path) -> None:
    process = Process([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"], tmp_path, {}, tmp_path / "log")
    code, peak = process.wait()
    assert code == 137
    assert 1_000_000 < peak < 10_000_000_000
    assert not process.is_running


SHIM = """
import pathlib, sys, time
from local.shim.process import Process
child = "import os, subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); " \
        "open('child', 'w').write(str(os.getpgid(0))); time.sleep(60)"
Process([sys.executable, "-c", child], pathlib.Path("."), {}, pathlib.Path("log"))
time.sleep(60)
"""


def test_a_containers_group_ends_when_the_shim_is_killed(tmp_path: Path) -> None:
    shim = subprocess.Popen([sys.executable, "-c", SHIM], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)})
    group = int(wait_for(tmp_path / "child"))
    assert len(members(group)) == 3, "the guard, the command, and what that has started"
    shim.kill()
    shim.wait()
    deadline = time.monotonic() + 10
    while members(group) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert members(group) == []


def members(group: int) -> list[int]:
    listed = subprocess.run(["ps", "-A", "-o", "pid=,pgid=,stat="], capture_output=True, text=True, check=True)
    rows = [line.split() for line in listed.stdout.splitlines()]
    return [int(pid) for pid, pgid, state in rows if int(pgid) == group and not state.startswith("Z")]


def test_a_container_gets_sigterm_and_its_exit_code_is_kept(tmp_path: Path) -> None:
    program = (
        "import pathlib, signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(75)); "
        "pathlib.Path('ready').write_text('x'); time.sleep(60)"
    )
    process = Process([sys.executable, "-c", program], tmp_path, {}, tmp_path / "log")
    wait_for(tmp_path / "ready")
    threading.Thread(target=process.stop, args=(10,)).start()
    assert process.wait()[0] == 75


def test_a_missing_command_ends_with_127(tmp_path: Path) -> None:
    process = Process(["/nowhere/python"], tmp_path, {}, tmp_path / "log")
    assert process.wait()[0] == 127
    assert (tmp_path / "log").read_text() == "/nowhere/python: No such file or directory\n"
