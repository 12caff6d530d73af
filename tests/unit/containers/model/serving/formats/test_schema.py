from __future__ import annotations

import numpy as np
import pytest

from model.serving.formats.schema import Schema, checked
from model.serving.refusal import RefusalError

NAN = float("nan")


@pytest.mark.parametrize("cell", [0, 1, 300, (1 << 24) - 1, NAN])
def test_category_codes_are_taken(cell: float) -> None:
    matrix = np.array([[0.5, cell]], np.float32)
    assert checked(matrix, Schema(features=2, categorical=(1,))) is matrix


@pytest.mark.parametrize("cell", [-1, 2.5, 1 << 24, -0.5])
def test_invalid_category_code_is_refused(cell: float) -> None:
    matrix = np.array([[0.5, 1], [0.5, cell]], np.float32)
    with pytest.raises(RefusalError) as raised:
        checked(matrix, Schema(features=2, categorical=(1,)))
    assert (raised.value.code, raised.value.row, raised.value.column) == ("NOT_A_CATEGORY", 2, 2)


def test_category_is_looked_for_where_its_column_is() -> None:
    schema = Schema(features=2, names=("a", "b"), categorical=(1,))
    matrix = np.array([[2, 0.5]], np.float32)
    assert checked(matrix, schema, schema.order(["b", "a"])).tolist() == [[0.5, 2]]
    with pytest.raises(RefusalError) as raised:
        checked(matrix, schema)
    assert raised.value.column == 2
