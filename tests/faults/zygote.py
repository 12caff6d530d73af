"""Starts processes quickly: imports everything once, then forks for each order.

Run as `python zygote.py SOCKET`. An order is one line of JSON on its own connection. The answers are the process's id
and, at its end, its wait status. The fork runs the deployed code itself, with its own signals and exits. An order may
shorten delays (sleeps, timeouts), shift the clock or set constants of the code.
"""

from __future__ import annotations

import datetime
import importlib
import json
import os
import resource
import runpy
import signal
import socket
import sys
import time
import traceback
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
WORKER = ROOT / "containers" / "worker" / "main.py"
HANDLERS = ("lambdas.scoring.submit.handler", "lambdas.scoring.track.handler", "lambdas.scoring.reconcile.handler")
_sleep, _time = time.sleep, time.time
_share = 1.0


def _nap(seconds: float, /) -> None:
    _sleep(seconds * _share)


time.sleep = _nap  # type: ignore[assignment]  # before other modules import the real one


def main(path: str) -> None:
    _preload()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the nurses are not waited for
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(64)
        listening.settimeout(1.0)
        parent = os.getppid()
        print("ready", flush=True)
        while os.getppid() == parent:  # ends the children of a killed test run
            try:
                connection, _ = listening.accept()
            except TimeoutError:
                continue
            connection.setblocking(True)
            if os.fork() == 0:
                listening.close()
                _nurse(connection)
            connection.close()


def _preload() -> None:
    sys.path[:0] = [str(ROOT)]
    runpy.run_path(str(WORKER), run_name="preloaded")
    for name in HANDLERS:
        importlib.import_module(name)
    import boto3

    boto3.setup_default_session()
    boto3.resource("dynamodb")
    for service in ("s3", "sagemaker-runtime", "batch"):
        boto3.client(service)  # type: ignore[call-overload,unused-ignore]  # caches the description


def _nurse(connection: socket.socket) -> None:
    """Watches one process until it ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with connection.makefile("rwb") as wire:
        order = json.loads(wire.readline())
        process_id = os.fork()
        if process_id == 0:
            _live(order)
        wire.write(b"%d\n" % process_id)
        wire.flush()
        _, status = os.waitpid(process_id, 0)
        wire.write(b"%d\n" % status)
    os._exit(0)


def _live(order: dict[str, Any]) -> None:
    code = 1
    try:
        _settle_in(order)
        code = _call(order) if "handler" in order else _score(order["arguments"])
    finally:
        if sys.exc_info()[0] is not None:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _score(arguments: list[str]) -> int:
    """The worker's entry point, which ends the process itself."""
    sys.argv = [str(WORKER), *arguments]
    runpy.run_path(str(WORKER), run_name="__main__")
    raise AssertionError("the worker's entry point returned")


def _call(order: dict[str, Any]) -> int:
    module = importlib.import_module(order["handler"])
    module.handler(order["event"], None)
    return 0


def _settle_in(order: dict[str, Any]) -> None:
    global _share
    descriptor = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.environ.clear()
    os.environ.update(order["environment"])
    _share = order.get("share_of_sleeps", 1.0)
    if "timeout_seconds" in order:
        _hurry(order["timeout_seconds"])
    if "clock" in order:
        _set_clock(**order["clock"])
    for limit, value in order.get("limits", {}).items():
        resource.setrlimit(getattr(resource, limit), (value, value))
    for place, value in order.get("constants", {}).items():
        _set(place, value)


def _set(place: str, value: object) -> None:
    module_name, _, name = place.rpartition(".")
    module = importlib.import_module(module_name)
    if not hasattr(module, name):
        raise AttributeError(f"there is no {place} any more; use the constant that replaced it")
    setattr(module, name, value)


def _hurry(seconds: float) -> None:
    """Sets the timeouts of every client."""
    from botocore.httpsession import URLLib3Session

    patient = URLLib3Session.__init__

    def hasty(self: Any, *arguments: Any, **options: Any) -> None:
        patient(self, *arguments, **{**options, "timeout": (seconds, seconds)})

    URLLib3Session.__init__ = hasty  # type: ignore[method-assign]


def _set_clock(*, shift_seconds: float = 0.0, frozen_at: float | None = None) -> None:
    """Shifts the wall clock that our code reads, not the monotonic clock."""
    from dropscore.jobs import job as jobs

    def shifted() -> float:
        return (_time() if frozen_at is None else frozen_at) + shift_seconds

    class Clock(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            return datetime.datetime.fromtimestamp(shifted(), tz)

    time.time = shifted
    vars(jobs)["datetime"] = Clock


if __name__ == "__main__":
    main(sys.argv[1])
