"""Read a text/csv request into a float32 matrix.

Cells become float64, then float32, as `DMatrix` converts a float64 array. An empty cell and `nan` are missing values.
The fast path here only detects that some row is bad; `csv_faults` then finds which rows are.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from model.serving import parallel
from model.serving.formats.cells import numbers
from model.serving.formats.csv_faults import find_faults, is_number
from model.serving.formats.header import split_header
from model.serving.formats.plain import plain
from model.serving.formats.schema import Matrix, Schema, checked, value_faults
from model.serving.parallel import side_by_side
from model.serving.refusal import RefusalError

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def parse(body: bytes, schema: Schema, *, has_header: bool = False, cores: int = 1) -> Matrix:
    """Return one row per line, with its columns in the model's order. The last line end is optional.

    Raises a RefusalError that names the bad rows and columns.
    """
    text, order = body.removeprefix(BYTE_ORDER_MARK), None
    if has_header:
        names, text = split_header(text, schema.features, is_number)
        order = schema.order(names)
    if not text:
        raise RefusalError(400, "EMPTY_BODY", "the request is empty; send at least one row")
    try:
        return checked(_rows(text, schema, cores), schema, order)
    except pa.ArrowInvalid:
        # Arrow's message is not used: it quotes the row, and sometimes the wrong row.
        raise RefusalError.of_rows(find_faults(text, schema, order, partial(_is_good, schema, order))) from None


def _rows(text: bytes, schema: Schema, cores: int = 1) -> Matrix:
    parts = side_by_side(lambda part: numbers(part, schema.features), parallel.lines(plain(text), cores))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _is_good(schema: Schema, order: Sequence[int] | None, text: bytes) -> bool:
    try:
        return not value_faults(_rows(text, schema), schema, order)
    except pa.ArrowInvalid:
        return False
