"""Split one request's work over the cores that it holds. XGBoost's own threads cannot be set per request."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")

SMALLEST_BYTES = 1 << 18  # below this, starting a thread costs more than it saves
_LINE_END = re.compile(rb"\n")
# Threads start with the first divided request, and so after the fork that tries the model (decision 0041).
_threads = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="chunk")


def side_by_side(work: Callable[[Chunk], Result], chunks: Sequence[Chunk]) -> list[Result]:
    """Return `work(chunk)` of each chunk, in order, computed in threads. numpy, Arrow and XGBoost release the GIL."""
    if len(chunks) == 1:
        return [work(chunks[0])]
    return list(_threads.map(work, chunks))


def count(size_bytes: int, cores: int) -> int:
    """Return how many chunks to split `size_bytes` into, at most `cores`."""
    return max(1, min(cores, size_bytes // SMALLEST_BYTES))


def lines(text: bytes | memoryview, most: int) -> list[memoryview]:
    """Split `text` at line ends into at most `most` chunks of about equal size, without copying."""
    chunk_count = count(len(text), most)
    found = [_LINE_END.search(text, len(text) * number // chunk_count) for number in range(1, chunk_count)]
    ends = sorted({cut.end() for cut in found if cut} | {len(text)})
    return [memoryview(text)[start:end] for start, end in zip([0, *ends], ends, strict=False)]
