"""What a body must look like for the model, and the last checks that rows of every format share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serving.refusal import RefusalError

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
        known = set(self.names)
        if not known.intersection(names):
            return list(range(self.features))
        if sorted(names) != sorted(self.names):
            message = "some columns are named as the model's features and some are not; name all of them, or none"
            raise RefusalError(400, "WRONG_COLUMN_NAMES", message)
        places = {name: place for place, name in enumerate(names)}
        return [places[name] for name in self.names]

    def wrong_count(self, found: int, row: int | None = None) -> RefusalError:
        columns = "1 column" if found == 1 else f"{found} columns"
        message = f"{f'row {row}' if row else 'the table'} has {columns}, the model needs {self.features}"
        return RefusalError(400, "WRONG_COLUMN_COUNT", message, row=row)


def not_a_number(row: int, column: int) -> RefusalError:
    return RefusalError(400, "NOT_A_NUMBER", f"row {row}, column {column} is not a number", row=row, column=column)


def checked(matrix: Matrix, schema: Schema, order: Sequence[int] | None = None) -> Matrix:
    """The rows with their columns in the model's order; refused where XGBoost would refuse or misread a cell."""
    _refuse_infinity(matrix)
    places = list(order or range(schema.features))
    for feature in schema.categorical:
        _refuse_what_is_no_code(matrix, places[feature])
    return matrix if places == sorted(places) else matrix[:, places]


def _refuse_infinity(matrix: Matrix) -> None:
    """As `DMatrix` does."""
    bad = np.isinf(matrix)
    if bad.any():
        row, column = (int(index) + 1 for index in np.argwhere(bad)[0])
        message = f"row {row}, column {column} is infinite, or too large for a 32-bit float"
        raise RefusalError(400, "NOT_FINITE", message, row=row, column=column)


def _refuse_what_is_no_code(matrix: Matrix, column: int) -> None:
    """XGBoost would cut 2.5 to 2 and take -1 for a missing value."""
    cells = matrix[:, column]
    bad = ~np.isnan(cells) & ((cells < 0) | (cells >= LARGEST_CODE) | (cells != np.floor(cells)))
    if bad.any():
        row = int(bad.argmax()) + 1
        message = f"row {row}, column {column + 1} is categorical and takes its category's code, a whole number from 0"
        raise RefusalError(400, "NOT_A_CATEGORY", message, row=row, column=column + 1)
