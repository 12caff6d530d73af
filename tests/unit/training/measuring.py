"""Imports an artifact in a small process, and measures the processes that the import starts.

A child's peak memory, as the system reports it, includes its parent's at the moment of the start: a test process that
has run thousands of tests would count a gigabyte for each.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from training.errors import ModelImportError
from training.importing import import_artefact


class Measured(NamedTuple):
    """What one import used, and why it was refused; `refusal` is None if it was imported."""

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
        import_artefact(source, destination)
    except ModelImportError as error:
        return str(error)
    return None
