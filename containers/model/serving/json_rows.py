"""JSON bodies to a float32 matrix: one document with `instances`, or JSON Lines with one row a line.

A row is a list of numbers, or an object with that list under `features`. `null` and NaN are missing.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from serving.refusal import RefusalError
from serving.schema import Matrix, Schema, checked, not_a_number

NUMBER_OR_MISSING = {float, type(None)}


def parse_document(body: bytes, schema: Schema) -> Matrix:
    """`{"instances": [row, …]}`, or the bare list of rows."""
    document = _load(body)
    if isinstance(document, dict) and document.keys() == {"instances"}:
        document = document["instances"]
    if not isinstance(document, list):
        raise _bad_json('send {"instances": [[…], …]} or [[…], …], with nothing beside it')
    return _matrix(document, schema)


def parse_lines(body: bytes, schema: Schema) -> Matrix:
    lines = body.removesuffix(b"\n").split(b"\n") if body else []
    return _matrix([_load(line, row) for row, line in enumerate(lines, 1)], schema)


def _load(text: bytes, row: int | None = None) -> Any:
    """Numbers become float64 at once, whole ones too: an integer of any length, as `float` reads it."""
    try:
        return json.loads(text, parse_int=float, parse_constant=float)
    except json.JSONDecodeError as error:
        raise _bad_json(f"it breaks off or goes wrong at character {error.pos + 1}", row) from None
    except UnicodeDecodeError:
        raise _bad_json("it is not UTF-8", row) from None
    except RecursionError:
        raise _bad_json("it is nested too deeply", row) from None


def _bad_json(message: str, row: int | None = None) -> RefusalError:
    what = "the body is not the JSON of rows" if row is None else f"row {row} is not JSON"
    return RefusalError(400, "BAD_JSON", f"{what}: {message}", row=row)


def _matrix(rows: list[Any], schema: Schema) -> Matrix:
    if not rows:
        raise RefusalError(400, "EMPTY_BODY", "the body is empty; send at least one row")
    cells: list[Any] = []
    for number, row in enumerate(rows, 1):
        cells += _cells(row, number, schema)
    if not set(map(type, cells)) <= NUMBER_OR_MISSING:
        at = next(index for index, cell in enumerate(cells) if type(cell) not in NUMBER_OR_MISSING)
        raise not_a_number(at // schema.features + 1, at % schema.features + 1)
    with np.errstate(over="ignore"):  # too large for float32 becomes infinity, which is refused by row
        matrix = np.array(cells, dtype=np.float64).astype(np.float32)
    return checked(matrix.reshape(len(rows), schema.features), schema)


def _cells(row: Any, number: int, schema: Schema) -> list[Any]:
    if isinstance(row, dict) and row.keys() == {"features"}:
        row = row["features"]
    if not isinstance(row, list):
        message = f'row {number} is neither a list of numbers nor {{"features": [that list]}}'
        raise RefusalError(400, "NOT_A_ROW", message, row=number)
    if len(row) != schema.features:
        raise schema.wrong_count(len(row), number)
    return row
