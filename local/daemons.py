"""Starts the emulator and the shim with their environments, and waits until each is ready."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from dropscore.errors import CloudError
from local.deployment.account import REGION, Keys, call
from local.deployment.synthesis import ROOT
from local.processes import Daemon, Lifeline, start
from model_tools.environments import python_environment

START_SECONDS = 60.0
POLL_SECONDS = 0.03


def start_emulator(
    home: Path,
    port: int,
    root: Keys,
    shim_url: str,
    *,
    watches: Sequence[Lifeline] = (),
    holds: Sequence[Lifeline] = (),
) -> tuple[Daemon, str]:
    """Start the emulator; returns its process and its URL. It may not be ready yet: see `wait_for_emulator`."""
    url = f"http://127.0.0.1:{port}"
    scratch = home / "tmp"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    environment = {
        **_plain_environment(home, scratch),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "AUTH": "true",
        "PERSIST_STATE": "1",
        "S3_PERSIST": "1",
        "STATE_DIR": str(home / "emulator"),
        "S3_DATA_DIR": str(home / "objects"),
        **{name.upper(): value for name, value in root.items()},
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": url,
        "AWS_ENDPOINT_URL_BATCH": shim_url,
        "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": shim_url,
    }
    interpreter = python_environment(ROOT / "local" / "emulator" / "requirements.txt")
    command = [str(interpreter), "-m", "local.emulator.launch", str(home)]
    log = home / "logs" / "emulator.log"
    daemon = start(
        "emulator",
        command,
        environment=environment,
        directory=ROOT,
        log=log,
        mark=f"local.emulator.launch {home}",
        watches=watches,
        holds=holds,
    )
    return daemon, url


def start_shim(
    home: Path,
    settings: Path,
    listening: socket.socket,
    *,
    watches: Sequence[Lifeline] = (),
    holds: Sequence[Lifeline] = (),
) -> Daemon:
    """Start the shim on the socket `listening`. Its endpoints may not be ready yet: see `wait_for_endpoints`."""
    command = [sys.executable, "-m", "local.shim", str(settings), str(listening.fileno())]
    return start(
        "shim",
        command,
        environment=_plain_environment(home, home / "tmp"),
        directory=ROOT,
        log=home / "logs" / "shim.log",
        mark=str(settings),
        watches=watches,
        holds=holds,
        pass_fds=[listening.fileno()],
    )


def _plain_environment(home: Path, scratch: Path) -> dict[str, str]:
    """An environment without the user's AWS configuration and credentials."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "TMPDIR": str(scratch),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def wait_for_emulator(emulator: Daemon, url: str, root: Keys) -> None:
    """Wait until the emulator replies. Raises CloudError with the end of its log if it does not."""
    _wait(emulator, lambda: call(f"{url}/_dropscore/ready", root) == {})


def wait_for_endpoints(shim: Daemon, shim_url: str, root: Keys) -> None:
    """Wait until all endpoints are in service. Raises CloudError if one does not start."""

    def are_in_service() -> bool:
        states = call(f"{shim_url}/_dropscore/status", root)
        failed = {name: why for name, (state, why) in states["endpoints"].items() if state == "Failed"}
        if failed:
            raise CloudError(f"these endpoints did not start: {failed}")
        return all(state == "InService" for state, _ in states["endpoints"].values())

    _wait(shim, are_in_service)


def _wait(daemon: Daemon, is_ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while daemon.is_running and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if is_ready():
                return
        time.sleep(POLL_SECONDS)
    raise daemon.start_error()


def listen(port: int) -> socket.socket:
    """A listening socket on loopback: at `port` if it is free, otherwise at any free port."""
    listening = socket.socket()
    # A restart gets its port although connections of the last run are still in TIME_WAIT.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except OSError:
        listening.bind(("127.0.0.1", 0))
    listening.listen(128)
    return listening


def free_port(preferred: int) -> int:
    """Return `preferred` if it is free, otherwise another free port. The emulator accepts a number, not a socket."""
    with contextlib.closing(listen(preferred)) as probe:
        return int(probe.getsockname()[1])
