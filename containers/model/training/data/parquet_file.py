"""Read a Parquet file as float32 matrices of bounded size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from pyarrow import parquet

from model.training.data.csv_file import Matrix, Opened
from model.training.errors import TrainingError

BATCH_CELLS = 4 << 20


def open_parquet(path: Path, place: str) -> Opened:
    """`place` names the file in errors. Raises TrainingError."""
    try:
        file = parquet.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise TrainingError(f"{place} cannot be read as Parquet: {type(error).__name__}") from None
    schema = file.schema_arrow
    wrong = [field.name for field in schema if not _is_numeric(field.type)]
    if wrong:
        raise TrainingError(f"{place}: columns {', '.join(wrong[:5])} are not numeric; encode them as numbers first")
    return Opened(columns=len(schema), names=tuple(schema.names), matrices=_matrices(file, len(schema), place))


def _is_numeric(column_type: Any) -> bool:
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal)
    return any(test(column_type) for test in tests)


def _matrices(file: Any, columns: int, place: str) -> Iterator[tuple[int, Matrix]]:
    row = 1
    with file:
        for batch in file.iter_batches(batch_size=max(1, BATCH_CELLS // columns)):
            matrix = np.empty((batch.num_rows, columns), dtype=np.float32)
            with np.errstate(over="ignore"):  # a value too large for float32 becomes infinity, which is rejected by row
                for number, column in enumerate(batch.columns):
                    matrix[:, number] = _numbers(column)
            _refuse_infinity(matrix, row, place)
            yield row, matrix
            row += len(matrix)


def _numbers(column: Any) -> Any:
    """Return float64, as for CSV cells; a null becomes NaN. Arrow cannot cast booleans to floats directly."""
    plain = column.cast(pa.int8()) if pa.types.is_boolean(column.type) else column
    return plain.cast(pa.float64()).to_numpy(zero_copy_only=False)


def _refuse_infinity(matrix: Matrix, first: int, place: str) -> None:
    if np.isinf(matrix).any():
        row, column = (int(index) for index in np.argwhere(np.isinf(matrix))[0])
        raise TrainingError(
            f"{place}: row {first + row}, column {column + 1} is infinite or too large for a 32-bit float"
        )
