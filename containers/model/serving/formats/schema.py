"""The columns that the model expects, and the checks that rows of every format share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.serving.refusal import MAX_NAMED_ROWS, Fault, RefusalError, cell_fault

Matrix = NDArray[np.float32]
LARGEST_CODE = 1 << 24  # XGBoost's limit: above it, float32 cannot represent every integer


@dataclass(frozen=True, kw_only=True)
class Schema:
    """The model's features. `names` is empty if the model has none; `categorical` are indexes from 0."""

    features: int
    names: tuple[str, ...] = ()
    categorical: tuple[int, ...] = ()

    @property
    def names_digest(self) -> str | None:
        """12 hex digits of a hash of the names in order, by which a client checks that it sends the right features."""
        listed = json.dumps(list(self.names), separators=(",", ":")).encode()
        return hashlib.sha256(listed).hexdigest()[:12] if self.names else None

    def order(self, names: Sequence[str]) -> list[int]:
        """Return the index of each feature's column. If no name is a feature's name, columns go by position.

        Raises RefusalError WRONG_COLUMN_NAMES if some names match and others do not.
        """
        if not set(self.names).intersection(names):
            return list(range(self.features))
        if sorted(names) != sorted(self.names):
            message = "some columns have names of the model's features and others do not; name all columns, or none"
            raise RefusalError(400, "WRONG_COLUMN_NAMES", message)
        places = {name: place for place, name in enumerate(names)}
        return [places[name] for name in self.names]

    def wrong_count(self, found: int) -> RefusalError:
        return RefusalError(400, "WRONG_COLUMN_COUNT", f"the table has {self._columns(found)}")

    def wrong_count_in(self, row: int, found: int) -> Fault:
        return Fault(row, None, "WRONG_COLUMN_COUNT", f"row {row} has {self._columns(found)}")

    def _columns(self, found: int) -> str:
        return f"{'1 column' if found == 1 else f'{found} columns'}, but the model has {self.features} features"


def checked(matrix: Matrix, schema: Schema, order: Sequence[int] | None = None) -> Matrix:
    """Return the rows with their columns in the model's order.

    Raises a RefusalError for cells that XGBoost would reject or misread.
    """
    if faults := value_faults(matrix, schema, order):
        raise RefusalError.of_rows(faults)
    places = places_of(schema, order)
    # Indexing copies the matrix, so it is left out if the order is right.
    return matrix if places == sorted(places) else matrix[:, places]


def value_faults(matrix: Matrix, schema: Schema, order: Sequence[int] | None = None) -> list[Fault]:
    """Return the faults of rows with numbers that the model cannot score; at most one more than a refusal names."""
    bad = np.isinf(matrix)  # `DMatrix` rejects them too
    places = places_of(schema, order)
    for column in (places[feature] for feature in schema.categorical):
        bad[:, column] |= _is_not_a_code(matrix[:, column])
    if not bad.any():
        return []
    rows = np.flatnonzero(bad.any(axis=1))[: MAX_NAMED_ROWS + 1]
    columns = bad[rows].argmax(axis=1)
    codes = ("NOT_FINITE" if is_infinite else "NOT_A_CATEGORY" for is_infinite in np.isinf(matrix[rows, columns]))
    found = zip(rows.tolist(), columns.tolist(), codes, strict=True)
    return [cell_fault(row + 1, column + 1, code) for row, column, code in found]


def moved(faults: Sequence[Fault], rows: Sequence[int]) -> list[Fault]:
    """Return the faults with row numbers of the request: row 1 of the checked rows is `rows[0]`, and so on."""
    return [cell_fault(rows[fault.row - 1], fault.column or 0, fault.code) for fault in faults]


def places_of(schema: Schema, order: Sequence[int] | None) -> list[int]:
    return list(order or range(schema.features))


def _is_not_a_code(cells: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Find cells that are not a category code: XGBoost would truncate 2.5 to 2 and read -1 as missing."""
    bad: NDArray[np.bool_] = ~np.isnan(cells) & ((cells < 0) | (cells >= LARGEST_CODE) | (cells != np.floor(cells)))
    return bad
