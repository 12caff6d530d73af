"""A text/csv body to a float32 matrix, strictly; or a RefusalError that names the row and column at fault.

Cells become float64 and then float32, as `DMatrix` does with a float64 array. An empty cell and `nan` are missing.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from numpy.typing import NDArray
from pyarrow import csv

from serving.refusal import RefusalError

Matrix = NDArray[np.float32]
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_QUOTED_CELL = re.compile(rb'(?:(?<=[,\n])|\A)"[^",\n]*"(?=[,\n]|\Z)')


def parse(body: bytes, features: int) -> Matrix:
    """One row a line, `features` cells a row; a last line end makes no difference."""
    text = _plain(body)
    if not text:
        raise RefusalError(400, "EMPTY_BODY", "the body is empty; send at least one row")
    _refuse_blank_lines(text, features)
    try:
        matrix = _matrix(text, features)
    except pa.ArrowInvalid:
        # Arrow's own message quotes the row, and quotes the wrong one when two are bad.
        raise _find_fault(text, features) from None
    _refuse_infinity(matrix)
    return matrix


def _plain(body: bytes) -> bytes:
    """The body with `\\n` line ends and without quotes, after checking that neither means anything more."""
    text = body.removeprefix(BYTE_ORDER_MARK)
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n")
        _refuse_at(text.find(b"\r"), text, "BAD_LINE_END", "holds a carriage return that does not end the line")
    if b'"' in text:
        text = _unquoted(text)
    _refuse_at(text.find(b"("), text, "NOT_A_NUMBER", "holds something that is not a number")  # Arrow takes nan(7)
    return text


def _unquoted(text: bytes) -> bytes:
    bare = _QUOTED_CELL.sub(lambda cell: cell[0][1:-1], text)
    _refuse_at(bare.find(b'"'), bare, "NOT_A_NUMBER", "holds a quote that does not enclose one whole cell")
    return bare


def _refuse_at(position: int, text: bytes, code: str, message: str) -> None:
    if position >= 0:
        row = text.count(b"\n", 0, position) + 1
        raise RefusalError(400, code, f"row {row} {message}", row=row)


def _refuse_blank_lines(text: bytes, features: int) -> None:
    """Arrow reads a blank line as a row of missing values, whatever the number of columns."""
    blank = (b"\n" + text).find(b"\n\n")
    if features > 1 and blank >= 0:
        raise _wrong_count(text.count(b"\n", 0, blank) + 1, 1, features)


def _wrong_count(row: int, found: int, features: int) -> RefusalError:
    columns = "1 column" if found == 1 else f"{found} columns"
    return RefusalError(400, "WRONG_COLUMN_COUNT", f"row {row} has {columns}, the model needs {features}", row=row)


def _matrix(text: bytes, features: int) -> Matrix:
    names = [str(number) for number in range(features)]
    table = csv.read_csv(
        pa.BufferReader(text),
        read_options=csv.ReadOptions(column_names=names, use_threads=False, block_size=len(text) + 1),
        parse_options=csv.ParseOptions(quote_char=False, ignore_empty_lines=False),
        convert_options=csv.ConvertOptions(column_types=dict.fromkeys(names, pa.float64()), null_values=[""]),
    )
    matrix = np.empty((table.num_rows, features), dtype=np.float32)
    with np.errstate(over="ignore"):  # too large for float32 becomes infinity, which is refused by row
        for number, column in enumerate(table.columns):
            matrix[:, number] = column.to_numpy()
    return matrix


def _refuse_infinity(matrix: Matrix) -> None:
    """As `DMatrix` does."""
    if np.isinf(matrix).any():
        row, column = (int(index) + 1 for index in np.argwhere(np.isinf(matrix))[0])
        message = f"row {row}, column {column} is infinite, or too large for a 32-bit float"
        raise RefusalError(400, "NOT_FINITE", message, row=row, column=column)


def _find_fault(text: bytes, features: int) -> RefusalError:
    lines = text.removesuffix(b"\n").split(b"\n")
    row = _first(len(lines), lambda count: not _is_good(b"\n".join(lines[:count]) + b"\n", features))
    cells = lines[row - 1].split(b",")
    if len(cells) != features:
        return _wrong_count(row, len(cells), features)
    column = next(number for number, cell in enumerate(cells, 1) if not _is_good(cell + b"\n", 1))
    return RefusalError(400, "NOT_A_NUMBER", f"row {row}, column {column} is not a number", row=row, column=column)


def _first(count: int, is_bad: Callable[[int], bool]) -> int:
    """The smallest number of leading lines that is bad, when all `count` lines are."""
    low, high = 1, count
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if is_bad(middle) else (middle + 1, high)
    return low


def _is_good(text: bytes, features: int) -> bool:
    try:
        _matrix(text, features)
    except pa.ArrowInvalid:
        return False
    return True
