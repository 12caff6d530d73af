"""Reads a file with Python's csv module and scores it with XGBoost, without any code of Dropscore."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass

import numpy as np

from tests.differential.case import Case
from tests.differential.models import Rows

_RETURN = re.compile(r"\r(?!\n|\Z)")


class UnreadableError(Exception):
    """The csv module or float() cannot read the file, or its rows have different widths."""


@dataclass(frozen=True)
class Answer:
    """`table` has the rows' cells, `header` is empty if there is none; the scores of a rejected row are nan."""

    header: list[str]
    table: list[list[str]]
    scores: Rows
    bad: frozenset[int]


def answer_to(case: Case) -> Answer:
    header, table = _read(case)
    if not table:
        raise UnreadableError("there are no rows")
    places = _places(case, header)
    features = np.full((len(table), case.model.features), np.nan, dtype=np.float32)
    bad = set()
    for number, row in enumerate(table):
        try:
            features[number] = [_number(row[place]) for place in places]
        except (ValueError, IndexError) as error:
            if "max_bad_rows" not in case.options:
                raise UnreadableError(f"row {number + 1}: {error}") from None
            bad.add(number + 1)
    if len(bad) > _most_bad(case, len(table)):
        raise UnreadableError("more rejected rows than max_bad_rows")
    return Answer(header, table, case.model.scores(features), frozenset(bad))


def _most_bad(case: Case, rows: int) -> int:
    most = case.options.get("max_bad_rows", 0)
    return rows if most == "100%" else int(most)


def _read(case: Case) -> tuple[list[str], list[list[str]]]:
    try:
        table = read_csv(case.data, case.delimiter)
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadableError(str(error)) from None
    header = table.pop(0) if case.has_header and table else []
    width = len(header or (table[0] if table else []))
    if "max_bad_rows" not in case.options and any(len(row) != width for row in table):
        raise UnreadableError("rows have different widths")
    return header, table


def read_csv(data: bytes, delimiter: str) -> list[list[str]]:
    """Returns the rows that are not blank.

    A carriage return within a row belongs to its cell, but the csv module alone would end the row there. The same
    applies to bytes that are not UTF-8, which may occur in columns that the model does not receive.
    """
    text = _RETURN.sub("\ufffe", data.decode("utf-8-sig", errors="surrogateescape"))
    return [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True) if row]


def _places(case: Case, header: list[str]) -> list[int]:
    """The positions of the features, in the model's order."""
    if "columns" in case.options:
        return [_place(reference, header) for reference in case.options["columns"]]
    if case.model.names and header:
        return [_place(name, header) for name in case.model.names]
    return [place for place, column in enumerate(case.columns) if column.feature is not None]


def _place(reference: str | int, header: list[str]) -> int:
    if isinstance(reference, int):
        return reference - 1
    names = [name.strip(" \t\r\n\ufffe") for name in header]
    if names.count(reference) != 1:
        raise UnreadableError(f"the header has a column {reference!r} {names.count(reference)} times")
    return names.index(reference)


def _number(cell: str) -> float:
    cell = cell.strip(" \t")
    if cell.lower() in ("", "nan"):
        return np.nan
    if "_" in cell:
        raise ValueError("an underscore")
    value = float(cell)
    with np.errstate(over="ignore"):
        narrow = np.float32(value)
    if not np.isfinite(narrow):
        raise ValueError("not finite")
    return value
