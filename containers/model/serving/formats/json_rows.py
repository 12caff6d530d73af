"""Read a JSON request into a float32 matrix: one document with `instances`, or JSON Lines with one row per line.

A row is a list of numbers, or an object with that list under `features`. `null` and NaN are missing values. Rows are
read in short runs; only a run with a fault is checked row by row, which is slow.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np

from model.serving.formats.schema import Matrix, Schema, moved, value_faults
from model.serving.refusal import MAX_NAMED_ROWS, Fault, RefusalError, cell_fault

NUMBER_OR_MISSING = {float, type(None)}
RUN = 64  # rows
# Read every number as float64, integers of any length included.
_decoder = json.JSONDecoder(parse_int=float, parse_constant=float)


class _NotJson(str):
    """Why a line is not JSON; stands in the list of rows in place of the row."""


def parse_document(body: bytes, schema: Schema) -> Matrix:
    """Read `{"instances": [row, …]}`, or only the list of rows. Raises a RefusalError that names the bad rows."""
    document = _load(body, json.detect_encoding(body))
    if isinstance(document, dict) and document.keys() == {"instances"}:
        document = document["instances"]
    if isinstance(document, _NotJson):
        raise _bad_document(document)
    if not isinstance(document, list):
        raise _bad_document('send {"instances": [[…], …]} or [[…], …], without other keys')
    return _matrix(_runs(document), schema)


def parse_lines(body: bytes, schema: Schema) -> Matrix:
    """Read one row per line. Raises a RefusalError that names the bad rows."""
    lines = body.removesuffix(b"\n").split(b"\n") if body else []
    return _matrix(map(_rows_of, _runs(lines)), schema)


def _bad_document(why: str) -> RefusalError:
    return RefusalError(400, "BAD_JSON", f"the request is not JSON rows: {why}")


def _load(text: bytes, encoding: str = "utf-8") -> Any:
    try:
        return _decoder.decode(text.decode(encoding))
    except json.JSONDecodeError as error:
        return _NotJson(f"it is invalid or incomplete at character {error.pos + 1}")
    except UnicodeDecodeError:
        return _NotJson("it is not UTF-8")
    except RecursionError:
        return _NotJson("it is nested too deeply")


def _runs(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (items[start : start + RUN] for start in range(0, len(items), RUN))


def _rows_of(lines: Sequence[bytes]) -> list[Any]:
    """Return the JSON value of each line.

    Decoding all lines as one list takes a fifth of the time. It gives the same values if every line begins and ends as
    a row does and there are as many rows as lines: a row that spans two lines would contain a list or a string, and a
    flat row contains neither.
    """
    if all(line[:1] in (b"[", b"{") and line[-1:] in (b"]", b"}") for line in map(bytes.strip, lines)):
        rows = _load(b"[" + b",".join(lines) + b"]")
        if isinstance(rows, list) and len(rows) == len(lines) and all(map(_is_flat, rows)):
            return rows
    return [_load(line) for line in lines]


def _is_flat(row: Any) -> bool:
    cells = _cells(row)
    # A Boolean is flat. It is refused later, with the number of its row.
    return type(cells) is list and set(map(type, cells)) <= {*NUMBER_OR_MISSING, bool}


def _matrix(runs: Iterable[Sequence[Any]], schema: Schema) -> Matrix:
    parts: list[Matrix] = []
    faults: list[Fault] = []
    before = 0
    for rows in runs:
        part = _numbers(rows, schema)
        if part is None or value_faults(part, schema):
            faults += _faults(rows, before, schema)
        elif not faults:  # after a fault, only further faults are needed
            parts.append(part)
        if len(faults) > MAX_NAMED_ROWS:
            break
        before += len(rows)
    if faults:
        raise RefusalError.of_rows(faults)
    if not parts:
        raise RefusalError(400, "EMPTY_BODY", "the body is empty; send at least one row")
    return np.concatenate(parts)


def _numbers(rows: Sequence[Any], schema: Schema) -> Matrix | None:
    """Return the rows as a matrix; None if one of them is not a valid row."""
    lists = [_cells(row) for row in rows]
    if not all(type(cells) is list and len(cells) == schema.features for cells in lists):
        return None
    cells = list(chain.from_iterable(lists))
    if not set(map(type, cells)) <= NUMBER_OR_MISSING:
        return None
    with np.errstate(over="ignore"):  # a value too large for float32 becomes infinity, which is rejected by row
        return np.array(cells, dtype=np.float64).astype(np.float32).reshape(-1, schema.features)


def _cells(row: Any) -> Any:
    return row["features"] if isinstance(row, dict) and row.keys() == {"features"} else row


def _faults(rows: Sequence[Any], before: int, schema: Schema) -> list[Fault]:
    shapes = [_shape_fault(_cells(row), number, schema) for number, row in enumerate(rows, before + 1)]
    good = [number for number, fault in enumerate(shapes, before + 1) if not fault]
    matrix = _numbers([rows[number - before - 1] for number in good], schema)
    values = [] if matrix is None else moved(value_faults(matrix, schema), good)
    return sorted([*filter(None, shapes), *values], key=lambda fault: fault.row)


def _shape_fault(row: Any, number: int, schema: Schema) -> Fault | None:
    if isinstance(row, _NotJson):
        return Fault(number, None, "BAD_JSON", f"row {number} is not JSON: {row}")
    if not isinstance(row, list):
        message = f'row {number} is neither a list of numbers nor {{"features": [that list]}}'
        return Fault(number, None, "NOT_A_ROW", message)
    if len(row) != schema.features:
        return schema.wrong_count_in(number, len(row))
    column = next((place for place, cell in enumerate(row, 1) if type(cell) not in NUMBER_OR_MISSING), None)
    return cell_fault(number, column, "NOT_A_NUMBER") if column else None
