"""`python -I bounded.py REPORT MEMORY SECONDS MODULE ARGUMENT …` runs MODULE's main(ARGUMENT …) under limits.

The child's side of `model_tools.sandbox.sandbox`. A failure becomes REPORT, a JSON file with its code, never a traceback.
It must run beside an old XGBoost too: nothing of ours that it imports needs more than the standard library.
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

if __name__ == "__main__":  # where ours lies beside another XGBoost, this environment's own must come first
    sys.path.append(str(Path(__file__).resolve().parents[2]))
    if not Path(sys.path[-1], "xgboost").exists():
        sys.path.insert(0, sys.path.pop())

from model_tools.errors import Code, ModelImportError

CORES = 0  # bytes of a core dump
MESSAGE_LIMIT = 600
MORE_MEMORY = (
    "reading the model takes more memory than a file of its size needs: it is damaged, or very large. Copy it "
    "again, or import what save_model('model.ubj') writes, which takes the least memory to read"
)
_PLACE = re.compile(r"^\[[\d:]+\] \S+:\d+: ")  # where in XGBoost's source a check failed


def main(report: str, memory_bytes: str, cpu_seconds: str, module: str, *arguments: str) -> None:
    sys.excepthook = _reporter(Path(report))
    _limit(resource.RLIMIT_CORE, CORES)
    _limit(resource.RLIMIT_AS, int(memory_bytes))
    program = importlib.import_module(module)
    _limit(resource.RLIMIT_CPU, int(_cpu_seconds_used() + float(cpu_seconds)) + 1)
    program.main(*arguments)


def _limit(what: int, value: int) -> None:
    """macOS refuses to bound the address space; there the parent's watch over memory is what counts."""
    with suppress(ValueError, OSError):
        resource.setrlimit(what, (value, value + (what == resource.RLIMIT_CPU)))


def _cpu_seconds_used() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _reporter(report: Path) -> Callable[[type[BaseException], BaseException, TracebackType | None], None]:
    def write(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
        code, said = explained(error)
        report.write_text(json.dumps({"code": code, "said": said}))

    return write


def explained(error: BaseException) -> tuple[Code, str]:
    if isinstance(error, ModelImportError):
        return error.code, error.said
    if isinstance(error, MemoryError) or "bad_alloc" in str(error):
        return Code.OUT_OF_MEMORY, MORE_MEMORY
    if isinstance(error, RecursionError):
        return Code.DAMAGED, "the file is nested too deeply for a model"
    return Code.DAMAGED, f"the model cannot be read ({type(error).__name__}: {reason_of(error)})"


def reason_of(error: BaseException) -> str:
    """The first line, without where in XGBoost's source it was said."""
    return _PLACE.sub("", next(iter(str(error).strip().splitlines()), "no reason given"))[:MESSAGE_LIMIT]


if __name__ == "__main__":
    main(*sys.argv[1:])
