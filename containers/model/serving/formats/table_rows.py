"""Read Parquet files and Arrow streams into a float32 matrix. Null and NaN are missing values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from pyarrow import ipc, parquet

from model.serving.formats.schema import Matrix, Schema, checked
from model.serving.formats.stream_sizes import batch_sizes
from model.serving.refusal import RefusalError

MAX_CELLS = 6 * 1024 * 1024  # as many as the largest CSV holds: a few compressed kilobytes can expand to gigabytes
CELL_BYTES = 8


def parse_parquet(body: bytes, schema: Schema) -> Matrix:
    """Return the rows of a Parquet file. Raises a RefusalError, BODY_TOO_LARGE before anything is unpacked."""
    with _refused("Parquet"), parquet.ParquetFile(pa.BufferReader(body)) as file:
        groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
        # Both numbers are untrusted, and need not agree.
        declared = max(file.metadata.num_rows, sum(group.num_rows for group in groups))
        _check(file.schema_arrow, declared, schema)
        _refuse_beyond(sum(group.total_byte_size for group in groups) // CELL_BYTES)
        # Arrow's threads would use cores that other requests hold.
        table = file.read(use_threads=False)
        names, columns = table.column_names, table.columns
    return _matrix(columns, schema, schema.order(names))


def parse_stream(body: bytes, schema: Schema) -> Matrix:
    """Return the rows of an Arrow stream. Raises a RefusalError, BODY_TOO_LARGE before anything is unpacked."""
    batches = []
    with _refused("an Arrow stream"), ipc.open_stream(pa.BufferReader(body)) as reader:
        _check(reader.schema, 0, schema)
        _check_sizes(body, schema)
        for batch in reader:
            batch.validate(full=True)  # pyarrow does not check the buffers of a stream
            batches.append(batch)
        table = pa.Table.from_batches(batches, reader.schema)
        names, columns = table.column_names, table.columns  # a name that is not UTF-8 raises here
    return _matrix(columns, schema, schema.order(names))


def _check_sizes(body: bytes, schema: Schema) -> None:
    """Check sizes before anything is unpacked: nulls take no bytes, and compressed bytes can grow a thousandfold."""
    rows = unpacked = 0
    for more_rows, more_bytes in batch_sizes(body):
        rows, unpacked = rows + more_rows, unpacked + more_bytes
        _refuse_beyond(max(rows * schema.features, unpacked // CELL_BYTES))


@contextmanager
def _refused(what: str) -> Iterator[None]:
    """Replace Arrow's errors, whose messages may quote a cell."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError):
        raise RefusalError(400, "BAD_TABLE", f"the request cannot be read as {what}") from None


def _check(columns: pa.Schema, rows: int, schema: Schema) -> None:
    if len(columns) != schema.features:
        raise schema.wrong_count(len(columns))
    for number, column in enumerate(columns, 1):
        if not _is_numeric(column.type):
            message = f"column {number} is neither numeric nor boolean"
            raise RefusalError(400, "NOT_A_NUMBER", message, column=number)
    _refuse_beyond(rows * schema.features)


def _is_numeric(column_type: pa.DataType) -> bool:
    tests = (pa.types.is_floating, pa.types.is_integer, pa.types.is_boolean, pa.types.is_null)
    return any(test(column_type) for test in tests)


def _refuse_beyond(cells: int) -> None:
    if cells > MAX_CELLS:
        message = f"the table has more than {MAX_CELLS} cells when unpacked; send fewer rows in a request"
        raise RefusalError(413, "BODY_TOO_LARGE", message)


def _matrix(columns: Sequence[pa.ChunkedArray], schema: Schema, order: Sequence[int]) -> Matrix:
    rows = len(columns[0])
    if not rows:
        raise RefusalError(400, "EMPTY_BODY", "the table is empty; send at least one row")
    matrix = np.empty((rows, schema.features), dtype=np.float32)
    with np.errstate(over="ignore"):  # a value too large for float32 becomes infinity, which is rejected by row
        for number, column in enumerate(columns):
            # A safe cast refuses integers over 2**53, which float32 rounds anyway.
            matrix[:, number] = column.cast(pa.float64(), safe=False).to_numpy()
    return checked(matrix, schema, order)
