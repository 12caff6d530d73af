"""Which processes run, where they listen, and that all of them end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import DEMO, WAIT_SECONDS, Driver

PROC = Path("/proc")
DROPSCORE = Path(sys.executable).with_name("dropscore")
LISTENING, LOOPBACK = "0A", {"0100007F", "00000000000000000000000001000000"}

pytestmark = pytest.mark.skipif(not (PROC / "self").exists(), reason="needs /proc to look at processes and sockets")


def belonging_to(home: Path) -> list[int]:
    """Processes whose command line, working directory or temporary folder is in `home`."""
    return [
        int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit() and _mentions(entry, str(home).encode())
    ]


def _mentions(entry: Path, home: bytes) -> bool:
    if int(entry.name) == os.getpid():
        return False
    try:
        command_line = (entry / "cmdline").read_bytes() + bytes((entry / "cwd").readlink())
        return home in command_line or home in (entry / "environ").read_bytes()
    except OSError:
        return False


def listening(pids: list[int]) -> dict[str, str]:
    """The local addresses, by inode, of the sockets on which `pids` listen."""
    rows = [line.split() for table in ("tcp", "tcp6") for line in (PROC / "net" / table).read_text().splitlines()[1:]]
    addresses = {row[9]: row[1].split(":")[0] for row in rows if row[3] == LISTENING}
    links = [str(descriptor.readlink()) for pid in pids for descriptor in (PROC / str(pid) / "fd").iterdir()]
    inodes = {link.removeprefix("socket:[").rstrip("]") for link in links if link.startswith("socket:[")}
    return {inode: address for inode, address in addresses.items() if inode in inodes}


def until(is_true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_true() and time.monotonic() < deadline:
        time.sleep(0.05)
    return is_true()


def test_listens_on_loopback_only(driver: Driver) -> None:
    pids = belonging_to(driver.cloud.home)
    assert {driver.cloud.emulator.pid, driver.cloud.shim.pid} < set(pids)

    sockets = listening(pids)

    assert len(sockets) == 3, "the emulator, the shim and the model's server"
    assert set(sockets.values()) <= LOOPBACK


def started(folder: Path) -> subprocess.Popen[bytes]:
    command = [str(DROPSCORE), "local", "run", str(DEMO / "sample.csv"), "--out", str(folder / "scores.csv")]
    environment = {**os.environ, "TMPDIR": str(folder)}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=allow_interrupts
    )


def allow_interrupts() -> None:
    """Allows SIGINT again: a shell ignores it for background commands, and processes inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def has_model_server(folder: Path) -> bool:
    return any(b"serve.py" in (PROC / str(pid) / "cmdline").read_bytes() for pid in belonging_to(folder))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_nothing_is_left_when_a_run_is_interrupted(tmp_path: Path, number: signal.Signals, code: int) -> None:
    with started(tmp_path) as run:
        assert until(lambda: has_model_server(tmp_path))
        run.send_signal(number)
        assert run.wait(WAIT_SECONDS) == code

    assert belonging_to(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_nothing_runs_on_when_a_run_is_killed(tmp_path: Path) -> None:
    with started(tmp_path) as run:
        assert until(lambda: has_model_server(tmp_path))
        run.kill()

    assert until(lambda: belonging_to(tmp_path) == [])
