"""Measure the memory of a process and its descendants, from Linux's /proc."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_FIELD = re.compile(r"^(PPid|VmHWM|VmRSS):\s+(\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Memory:
    """`peak_bytes` is the sum of the processes' peaks: an upper bound of what they used at once."""

    held_bytes: int
    peak_bytes: int


def memory_of(pid: int) -> Memory | None:
    """Return the memory; None if the process is not visible or there is no /proc."""
    every = dict(_processes())
    if pid not in every:
        return None
    family = [every[member] for member in _family(pid, every)]
    return Memory(*(1024 * sum(fields.get(name, 0) for fields in family) for name in ("VmRSS", "VmHWM")))


def _processes() -> Iterator[tuple[int, dict[str, int]]]:
    for folder in PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # the process has ended
            fields = _FIELD.findall((folder / "status").read_text())
            yield int(folder.name), {name: int(value) for name, value in fields}


def _family(pid: int, every: dict[int, dict[str, int]]) -> list[int]:
    children = [child for child, fields in every.items() if fields.get("PPid") == pid]
    return [pid, *(member for child in children for member in _family(child, every))]
