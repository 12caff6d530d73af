"""How the cloud's two processes are started, with which environment, and when each is ready."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dropscore.environments import python_environment
from dropscore.errors import CloudError
from local.account import REGION
from local.account import ROOT as ROOT_KEYS
from local.processes import Daemon, start
from local.synthesis import ROOT

START_SECONDS = 60.0
POLL_SECONDS = 0.03


def start_emulator(home: Path, port: int, token: str, shim_url: str, lifeline: int | None) -> tuple[Daemon, str]:
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
        **{f"AWS_{name.upper()}": value for name, value in ROOT_KEYS.items()},
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": url,
        "AWS_ENDPOINT_URL_BATCH": shim_url,
        "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": shim_url,
        "DROPSCORE_LOCAL_TOKEN": token,
    }
    here = ROOT / "local" / "emulator"
    command = [str(python_environment(here / "requirements.txt")), str(here / "launch.py"), str(home)]
    log = home / "logs" / "emulator.log"
    daemon = start(
        "emulator",
        command,
        environment=environment,
        directory=home,
        log=log,
        mark=f"launch.py {home}",
        lifeline=lifeline,
    )
    return daemon, url


def start_shim(home: Path, settings: Path, listening: socket.socket, lifeline: int | None) -> Daemon:
    command = [sys.executable, "-m", "local.shim", str(settings), str(listening.fileno())]
    return start(
        "shim",
        command,
        environment=_plain_environment(home, home / "tmp"),
        directory=ROOT,
        log=home / "logs" / "shim.log",
        mark=str(settings),
        lifeline=lifeline,
        pass_fds=[listening.fileno()],
    )


def _plain_environment(home: Path, scratch: Path) -> dict[str, str]:
    """Nothing of the user's own AWS set-up may reach the cloud."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "TMPDIR": str(scratch),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def wait_for_emulator(emulator: Daemon, url: str, token: str) -> None:
    request = urllib.request.Request(f"{url}/_dropscore/identity?access_key=test", headers={"x-dropscore-token": token})  # noqa: S310
    _wait(emulator, lambda: _get(request) == {"arn": "arn:aws:iam::000000000000:root"})


def wait_for_endpoints(shim: Daemon, shim_url: str) -> None:
    def are_in_service() -> bool:
        states = _get(urllib.request.Request(f"{shim_url}/_dropscore/status"))  # noqa: S310
        failed = {name: why for name, (state, why) in states["endpoints"].items() if state == "Failed"}
        if failed:
            raise CloudError(f"no endpoint: {failed}")
        return all(state == "InService" for state, _ in states["endpoints"].values())

    _wait(shim, are_in_service)


def _wait(daemon: Daemon, is_ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while daemon.is_running and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if is_ready():
                return
        time.sleep(POLL_SECONDS)
    raise daemon.complaint()


def _get(request: urllib.request.Request) -> Any:
    with urllib.request.urlopen(request, timeout=START_SECONDS) as answer:  # noqa: S310 - loopback
        return json.load(answer)


def listen(port: int) -> socket.socket:
    """A listening socket on loopback, at `port` if it is free."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except OSError:
        listening.bind(("127.0.0.1", 0))
    listening.listen(128)
    return listening


def free_port(preferred: int) -> int:
    with contextlib.closing(listen(preferred)) as probe:
        return int(probe.getsockname()[1])
