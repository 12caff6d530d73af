"""Work cut into pieces for the cores that one request holds. XGBoost's own threads cannot be set per request."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")

SMALLEST_BYTES = 1 << 18  # below this, starting a thread costs more than it saves
_LINE_END = re.compile(rb"\n")
_threads = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="piece")


def side_by_side(work: Callable[[Piece], Result], pieces: Sequence[Piece]) -> list[Result]:
    """`work` on every piece at once; the results in the pieces' order. numpy, Arrow and XGBoost let go of the lock."""
    if len(pieces) == 1:
        return [work(pieces[0])]
    return list(_threads.map(work, pieces))


def count(size_bytes: int, cores: int) -> int:
    return max(1, min(cores, size_bytes // SMALLEST_BYTES))


def lines(text: bytes | memoryview, most: int) -> list[memoryview]:
    """About equal parts of `text`, `most` at most, cut at line ends, not copied."""
    wanted = count(len(text), most)
    found = [_LINE_END.search(text, len(text) * number // wanted) for number in range(1, wanted)]
    ends = sorted({cut.end() for cut in found if cut} | {len(text)})
    return [memoryview(text)[start:end] for start, end in zip([0, *ends], ends, strict=False)]
