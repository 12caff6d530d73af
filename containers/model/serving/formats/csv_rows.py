"""A text/csv body to a float32 matrix, strictly; or a RefusalError that names the rows and columns at fault.

Cells become float64 and then float32, as `DMatrix` does with a float64 array. An empty cell and `nan` are missing.
The fast way below only finds out that some row is bad; `csv_faults` then finds out which.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from model.serving import parallel as pieces
from model.serving.formats.cells import numbers
from model.serving.formats.csv_faults import find_faults, is_number
from model.serving.formats.header import split_header
from model.serving.formats.plain import plain
from model.serving.formats.schema import Matrix, Schema, checked, value_faults
from model.serving.parallel import side_by_side
from model.serving.refusal import RefusalError

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def parse(body: bytes, schema: Schema, *, has_header: bool = False, cores: int = 1) -> Matrix:
    """One row a line, one cell a feature; a last line end makes no difference. A header is no row."""
    text, order = body.removeprefix(BYTE_ORDER_MARK), None
    if has_header:
        names, text = split_header(text, schema.features, is_number)
        order = schema.order(names)
    if not text:
        raise RefusalError(400, "EMPTY_BODY", "the body is empty; send at least one row")
    try:
        return checked(_rows(text, schema, cores), schema, order)
    except pa.ArrowInvalid:
        # Its message is of no use: it quotes the row, and the wrong one of two.
        raise RefusalError.of_rows(find_faults(text, schema, order, partial(_is_good, schema, order))) from None


def _rows(text: bytes, schema: Schema, cores: int = 1) -> Matrix:
    parts = side_by_side(lambda part: numbers(part, schema.features), pieces.lines(plain(text), cores))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _is_good(schema: Schema, order: Sequence[int] | None, text: bytes) -> bool:
    try:
        return not value_faults(_rows(text, schema), schema, order)
    except pa.ArrowInvalid:
        return False
