"""Read numbers from plain CSV: numpy finds where cells end, and Arrow casts each cell in place.

Plain CSV has lines that all end in `\\n`, and cells without quotes or surrounding spaces. Arrow's own CSV reader finds
the same numbers and faults, but it copies every cell first and starts a thread for each call.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from numpy.typing import NDArray

from model.serving import parallel
from model.serving.formats.schema import Matrix

BLOCK_BYTES = 1 << 19  # bounds the memory: a byte of text takes up to 34 bytes of arrays if cells are empty
COMMA, LINE_END = b",\n"


def numbers(text: bytes | memoryview, features: int) -> Matrix:
    """Return one row per line.

    Raises `pa.ArrowInvalid` if a line does not have `features` cells, or a cell is neither empty nor a number.
    """
    blocks = parallel.lines(text, len(text) // BLOCK_BYTES)
    return np.concatenate([_block(np.frombuffer(block, np.uint8), features) for block in blocks])


def _block(text: NDArray[np.uint8], features: int) -> Matrix:
    ends = _ends(text, features)
    # 32 bits, as pa.binary's offsets have.
    bounds = np.zeros(2 * len(ends) + 1, np.int32)  # Arrow sees a cell, the delimiter after it, a cell, …
    bounds[1::2] = ends
    bounds[2::2] = ends + 1
    is_read = np.zeros(2 * len(ends), np.bool_)  # delimiters and empty cells are null, so the cast skips them
    np.less(bounds[:-1:2], ends, out=is_read[::2])
    doubles = _cast(text, bounds, is_read)[::2]
    with np.errstate(over="ignore"):  # a value too large for float32 becomes infinity, which is rejected by row
        return np.where(is_read[::2], doubles, np.nan).astype(np.float32).reshape(-1, features)


def _ends(text: NDArray[np.uint8], features: int) -> NDArray[np.intp]:
    """Return the position after each cell.

    There are as many line ends as rows, and one follows each row's last cell, so there is none elsewhere.
    """
    is_line_end = text == LINE_END
    ends = np.flatnonzero(is_line_end | (text == COMMA))
    rows = np.count_nonzero(is_line_end)
    if len(ends) != rows * features or not is_line_end[ends[features - 1 :: features]].all():
        raise pa.ArrowInvalid("a line has too few cells or too many")
    return ends


def _cast(text: NDArray[np.uint8], bounds: NDArray[np.int32], is_read: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return one number per entry of `is_read`; those that are not read are undefined."""
    is_valid = np.packbits(is_read, bitorder="little")
    parts = pa.Array.from_buffers(pa.binary(), len(is_read), [pa.py_buffer(part) for part in (is_valid, bounds, text)])
    return np.frombuffer(parts.cast(pa.float64()).buffers()[1], np.float64, len(is_read))
