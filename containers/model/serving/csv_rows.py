"""A text/csv body to a float32 matrix, strictly; or a RefusalError that names the row and column at fault.

Cells become float64 and then float32, as `DMatrix` does with a float64 array. An empty cell and `nan` are missing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from pyarrow import csv

from serving import pieces
from serving.cells import numbers
from serving.header import split_header
from serving.pieces import side_by_side
from serving.refusal import RefusalError
from serving.schema import Matrix, Schema, checked, not_a_number

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
BLOCK_BYTES = 1 << 18  # fits the processor's cache: a whole body as one block takes twice as long
_STRAY_RETURN = re.compile(rb"\r(?!\n)")
_QUOTED_CELL = re.compile(rb'(?:(?<=[,\n])|\A)"[^",\n]*"(?=[,\n]|\Z)')


def parse(body: bytes, schema: Schema, *, has_header: bool = False, cores: int = 1) -> Matrix:
    """One row a line, one cell a feature; a last line end makes no difference. A header is no row."""
    text, order = body.removeprefix(BYTE_ORDER_MARK), None
    if has_header:
        names, text = split_header(text, schema.features, is_number)
        order = schema.order(names)
    if not text:
        raise RefusalError(400, "EMPTY_BODY", "the body is empty; send at least one row")
    text = text if text.endswith((b"\n", b"\r")) else text + b"\n"  # a last row of `""` is still one without its quotes
    text = _plain(text, schema)
    return checked(_rows(text, schema, cores), schema, order)


def is_number(cell: bytes) -> bool:
    return _is_good(cell + b"\n", 1)


def _plain(text: bytes, schema: Schema) -> bytes:
    """The body with `\\n` line ends and without quotes, after checking that neither means anything more."""
    if b"\r" in text:
        if stray := _STRAY_RETURN.search(text):
            _refuse_at(stray.start(), text, "BAD_LINE_END", "holds a carriage return that does not end the line")
        text = text.replace(b"\r", b"")
    if b'"' in text:
        text = _QUOTED_CELL.sub(lambda cell: cell[0][1:-1], text)
        _refuse_cell_at(text.find(b'"'), text, schema, "holds a quote that does not enclose one whole cell")
    return text


def _refuse_cell_at(position: int, text: bytes, schema: Schema, message: str) -> None:
    """For text in which no quotes stand before the position: every comma before it ends a cell."""
    if position >= 0:
        row, start = text.count(b"\n", 0, position) + 1, text.rfind(b"\n", 0, position) + 1
        column = text.count(b",", start, position) + 1
        known = column if column <= schema.features else None
        raise RefusalError(400, "NOT_A_NUMBER", f"row {row}, column {column} {message}", row=row, column=known)


def _refuse_at(position: int, text: bytes, code: str, message: str) -> None:
    if position >= 0:
        row = text.count(b"\n", 0, position) + 1
        raise RefusalError(400, code, f"row {row} {message}", row=row)


def _rows(text: bytes, schema: Schema, cores: int) -> Matrix:
    read = _spaced_reader(text) if b" " in text or b"\t" in text else numbers
    try:
        parts = side_by_side(lambda part: read(part, schema.features), pieces.lines(text, cores))
        matrix = parts[0] if len(parts) == 1 else np.concatenate(parts)
    except pa.ArrowInvalid:
        # Perhaps a line longer than a block. Else: Arrow's own message quotes the row, and the wrong one of two.
        matrix = _matrix_or_fault(text, schema)
    if schema.features > 1 and np.isnan(matrix).all(axis=1).any():
        _refuse_blank_lines(text, schema)
    _refuse_cell_at(text.find(b"("), text, schema, "holds something that is not a number")  # Arrow takes nan(7)
    return matrix


def _spaced_reader(text: bytes) -> Callable[[bytes | memoryview, int], Matrix]:
    """For cells with spaces around them, which Arrow's reader takes off."""
    return partial(_matrix, block_bytes=max(BLOCK_BYTES, 4 * (text.find(b"\n") + 1)))


def _refuse_blank_lines(text: bytes, schema: Schema) -> None:
    """Arrow reads a blank line as a row of missing values, whatever the number of columns."""
    blank = (b"\n" + text).find(b"\n\n")
    if blank >= 0:
        raise schema.wrong_count(1, text.count(b"\n", 0, blank) + 1)


def _matrix(text: bytes | memoryview, features: int, block_bytes: int) -> Matrix:
    names = [str(number) for number in range(features)]
    table = csv.read_csv(
        pa.BufferReader(text),
        read_options=csv.ReadOptions(column_names=names, use_threads=False, block_size=block_bytes),
        parse_options=csv.ParseOptions(quote_char=False, ignore_empty_lines=False),
        convert_options=csv.ConvertOptions(column_types=dict.fromkeys(names, pa.float64()), null_values=[""]),
    )
    matrix = np.empty((table.num_rows, features), dtype=np.float32)
    with np.errstate(over="ignore"):  # too large for float32 becomes infinity, which is refused by row
        for number, column in enumerate(table.columns):
            matrix[:, number] = column.to_numpy()
    return matrix


def _matrix_or_fault(text: bytes, schema: Schema) -> Matrix:
    try:
        return _matrix(text, schema.features, len(text) + 1)
    except pa.ArrowInvalid:
        raise _find_fault(text, schema) from None


def _find_fault(text: bytes, schema: Schema) -> RefusalError:
    lines = text.removesuffix(b"\n").split(b"\n")
    row = _first(len(lines), lambda count: not _is_good(b"\n".join(lines[:count]) + b"\n", schema.features))
    cells = lines[row - 1].split(b",")
    if len(cells) != schema.features:
        return schema.wrong_count(len(cells), row)
    if row == 1 and not any(is_number(cell) for cell in cells):
        message = "row 1 looks like a header; announce it by the content type `text/csv; header=present`"
        return RefusalError(400, "UNANNOUNCED_HEADER", message, row=1)
    return not_a_number(row, next(number for number, cell in enumerate(cells, 1) if not is_number(cell)))


def _first(count: int, is_bad: Callable[[int], bool]) -> int:
    """The smallest number of leading lines that is bad, when all `count` lines are."""
    low, high = 1, count
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if is_bad(middle) else (middle + 1, high)
    return low


def _is_good(text: bytes, features: int) -> bool:
    try:
        _matrix(text, features, len(text) + 1)
    except pa.ArrowInvalid:
        return False
    return True
