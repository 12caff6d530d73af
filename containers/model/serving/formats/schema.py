"""What a body must look like for the model, and the last checks that rows of every format share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.serving.refusal import MAX_NAMED_ROWS, Fault, RefusalError, cell_fault

Matrix = NDArray[np.float32]
LARGEST_CODE = 1 << 24  # XGBoost's own limit: beyond it float32 cannot tell two whole numbers apart


@dataclass(frozen=True, kw_only=True)
class Schema:
    """`names` is empty when the model has none; `categorical` counts from 0."""

    features: int
    names: tuple[str, ...] = ()
    categorical: tuple[int, ...] = ()

    @property
    def names_digest(self) -> str | None:
        """12 hex digits that stand for the names in their order, by which a client knows whose features it sends."""
        listed = json.dumps(list(self.names), separators=(",", ":")).encode()
        return hashlib.sha256(listed).hexdigest()[:12] if self.names else None

    def order(self, names: Sequence[str]) -> list[int]:
        """For each feature the place of its column. Names that are none of the model's say nothing: by position."""
        # By position, columns that have the model's names in another order would be scored wrongly without an error.
        known = set(self.names)
        if not known.intersection(names):
            return list(range(self.features))
        if sorted(names) != sorted(self.names):
            message = "some columns are named as the model's features and some are not; name all of them, or none"
            raise RefusalError(400, "WRONG_COLUMN_NAMES", message)
        places = {name: place for place, name in enumerate(names)}
        return [places[name] for name in self.names]

    def wrong_count(self, found: int) -> RefusalError:
        return RefusalError(400, "WRONG_COLUMN_COUNT", f"the table has {self._columns(found)}")

    def wrong_count_in(self, row: int, found: int) -> Fault:
        return Fault(row, None, "WRONG_COLUMN_COUNT", f"row {row} has {self._columns(found)}")

    def _columns(self, found: int) -> str:
        return f"{'1 column' if found == 1 else f'{found} columns'}, the model needs {self.features}"


def checked(matrix: Matrix, schema: Schema, order: Sequence[int] | None = None) -> Matrix:
    """The rows with their columns in the model's order; refused where XGBoost would refuse or misread a cell."""
    if faults := value_faults(matrix, schema, order):
        raise RefusalError.of_rows(faults)
    places = places_of(schema, order)
    return matrix if places == sorted(places) else matrix[:, places]


def value_faults(matrix: Matrix, schema: Schema, order: Sequence[int] | None = None) -> list[Fault]:
    """The first rows whose cells are numbers that the model cannot take; at most one more than a refusal names."""
    bad = np.isinf(matrix)  # as `DMatrix` does
    places = places_of(schema, order)
    for column in (places[feature] for feature in schema.categorical):
        bad[:, column] |= _is_no_code(matrix[:, column])
    if not bad.any():
        return []
    rows = np.flatnonzero(bad.any(axis=1))[: MAX_NAMED_ROWS + 1]
    columns = bad[rows].argmax(axis=1)
    codes = ("NOT_FINITE" if is_infinite else "NOT_A_CATEGORY" for is_infinite in np.isinf(matrix[rows, columns]))
    found = zip(rows.tolist(), columns.tolist(), codes, strict=True)
    return [cell_fault(row + 1, column + 1, code) for row, column, code in found]


def moved(faults: Sequence[Fault], rows: Sequence[int]) -> list[Fault]:
    """The same faults of cells, where the first row that was looked at is `rows[0]` of the body, and so on."""
    return [cell_fault(rows[fault.row - 1], fault.column or 0, fault.code) for fault in faults]


def places_of(schema: Schema, order: Sequence[int] | None) -> list[int]:
    return list(order or range(schema.features))


def _is_no_code(cells: NDArray[np.float32]) -> NDArray[np.bool_]:
    """XGBoost would cut 2.5 to 2 and take -1 for a missing value."""
    bad: NDArray[np.bool_] = ~np.isnan(cells) & ((cells < 0) | (cells >= LARGEST_CODE) | (cells != np.floor(cells)))
    return bad
