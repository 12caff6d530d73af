"""Import in a separate small process, and measure the processes that it starts.

A child's peak memory, as the system reports it, includes its parent's at the moment of the start: a test process that
has run thousands of tests would count a gigabyte for each.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from model_tools.errors import ModelImportError
from model_tools.importing.command import import_artifact


class Measured(NamedTuple):
    """`refusal` is the error message, None if the import succeeded."""

    refusal: str | None
    cpu_seconds: float
    resident_bytes: int


def measured_import(source: Path, destination: Path) -> Measured:
    used: list[Any] = []
    wait4 = os.wait4

    def waited(pid: int, options: int) -> Any:
        result = wait4(pid, options)
        if result[0]:
            used.append(result[2])
        return result

    os.wait4 = waited
    try:
        refusal = _refusal(source, destination)
    finally:
        os.wait4 = wait4
    cpu_seconds = sum(each.ru_utime + each.ru_stime for each in used)
    return Measured(refusal, cpu_seconds, max((each.ru_maxrss * 1024 for each in used), default=0))


def _refusal(source: Path, destination: Path) -> str | None:
    try:
        import_artifact(source, destination)
    except ModelImportError as error:
        return str(error)
    return None
