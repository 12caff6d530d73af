"""`python -I bounded.py REPORT MEMORY SECONDS MODULE ARGUMENT …` runs MODULE's main(ARGUMENT …) under limits.

This is the child process of `model_tools.sandbox.sandbox`. A failure is written to REPORT, a JSON file with its code.
It must also run beside an old XGBoost, so the Dropscore modules that it imports need only the standard library.
"""

from __future__ import annotations

import importlib
import json
import re
import resource
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

if __name__ == "__main__":  # this environment's XGBoost must come before one beside our code
    sys.path.append(str(Path(__file__).resolve().parents[2]))
    if not Path(sys.path[-1], "xgboost").exists():
        sys.path.insert(0, sys.path.pop())

from model_tools.errors import Code, ModelImportError

CORES = 0  # bytes of a core dump
MESSAGE_LIMIT = 600
MORE_MEMORY = (
    "reading the model takes more memory than a file of its size should need: it is damaged, or very large. Copy it "
    "again, or import the file that save_model('model.ubj') writes, which needs the least memory"
)
_PLACE = re.compile(r"^\[[\d:]+\] \S+:\d+: ")  # the position in XGBoost's source


def main(report: str, memory_bytes: str, cpu_seconds: str, module: str, *arguments: str) -> None:
    sys.excepthook = _reporter(Path(report))
    _limit(resource.RLIMIT_CORE, CORES)
    _limit(resource.RLIMIT_AS, int(memory_bytes))
    program = importlib.import_module(module)
    # After the import, so that the time to load XGBoost does not count.
    _limit(resource.RLIMIT_CPU, int(_cpu_seconds_used() + float(cpu_seconds)) + 1)
    program.main(*arguments)


def _limit(what: int, value: int) -> None:
    """macOS cannot limit the address space; there, only the parent's check of memory applies."""
    with suppress(ValueError, OSError):
        # SIGXCPU one second before SIGKILL, because only the former shows the cause.
        resource.setrlimit(what, (value, value + (what == resource.RLIMIT_CPU)))


def _cpu_seconds_used() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _reporter(report: Path) -> Callable[[type[BaseException], BaseException, TracebackType | None], None]:
    def write(_type: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
        code, message = explain(error)
        report.write_text(json.dumps({"code": code, "message": message}))

    return write


def explain(error: BaseException) -> tuple[Code, str]:
    if isinstance(error, ModelImportError):
        return error.code, error.message
    if isinstance(error, MemoryError) or "bad_alloc" in str(error):
        return Code.OUT_OF_MEMORY, MORE_MEMORY
    if isinstance(error, RecursionError):
        return Code.DAMAGED, "the file is nested too deeply for a model"
    return Code.DAMAGED, f"the model cannot be read ({type(error).__name__}: {reason_of(error)})"


def reason_of(error: BaseException) -> str:
    """Return the first line of the message, without the position in XGBoost's source."""
    return _PLACE.sub("", next(iter(str(error).strip().splitlines()), "no reason given"))[:MESSAGE_LIMIT]


if __name__ == "__main__":
    main(*sys.argv[1:])
