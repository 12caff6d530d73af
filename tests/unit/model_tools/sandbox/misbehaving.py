"""Run in a sandbox by test_sandbox: `main(WAY, …)` misbehaves as a process that reads a hostile file might."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import time
from pathlib import Path

from model_tools.errors import ModelImportError, UnsafePickleError


def main(way: str, *arguments: str) -> None:
    globals()[way](*arguments)


def sleep() -> None:
    time.sleep(60)


def spin() -> None:
    while True:
        pass


def take_memory(mebibytes: str) -> None:
    taken = []
    for _ in range(int(mebibytes)):
        taken.append(b"x" * (1 << 20))
        time.sleep(0.001)
    time.sleep(60)


def reserve_memory() -> None:
    bytearray(3 << 30)


def abort() -> None:
    os.abort()


def read_nowhere() -> None:
    ctypes.string_at(8)


def leave() -> None:
    os._exit(3)


def be_killed() -> None:
    os.kill(os.getpid(), 9)


def fail() -> None:
    raise KeyError("[16:29:06] /workspace/src/json.cc:88: Invalid cast\nStack trace")


def refuse() -> None:
    raise ModelImportError("no model of ours")


def refuse_pickle() -> None:
    raise UnsafePickleError("os.system")


def nest() -> None:
    nest()


def tell(file: str) -> None:
    limits = {name: resource.getrlimit(getattr(resource, name)) for name in ("RLIMIT_CORE", "RLIMIT_AS", "RLIMIT_CPU")}
    Path(file).write_text(json.dumps({"limits": limits, "environment": dict(os.environ)}))
