"""A CSV file as float32 matrices of bounded size, cut at line ends.

What a number is, the server decides (`model.serving.formats.csv_rows.parse`): training and serving must read every cell alike.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from model.serving.formats.csv_rows import parse
from model.serving.formats.schema import Schema
from model.serving.refusal import RefusalError
from model.training.errors import TrainingError

Matrix = NDArray[np.float32]
CHUNK_BYTES = 16 << 20  # each block is sketched and merged: with 4 MB that takes twice as long
LINE_LIMIT_BYTES = 4 << 20


@dataclass(frozen=True, kw_only=True)
class Opened:
    """`matrices` come with the number of their first row in the file, counted from 1 and a header counted too."""

    columns: int
    names: tuple[str, ...] | None
    matrices: Iterator[tuple[int, Matrix]]


def open_csv(path: Path, place: str, header: str) -> Opened:
    first = _first_line(path, place)
    cells = [cell.strip() for cell in next(csv.reader([first.decode("utf-8-sig", errors="replace")]), [""])]
    if len(cells) == 1 and any(mark in first for mark in (b";", b"\t", b"|")):
        raise TrainingError(f"{place}: cells must be separated by commas; row 1 has none")
    has_header = _is_header(cells, place) if header == "auto" else header == "true"
    return Opened(
        columns=len(cells),
        names=tuple(cells) if has_header else None,
        matrices=_matrices(path, place, len(cells), len(first) if has_header else 0),
    )


def _first_line(path: Path, place: str) -> bytes:
    with path.open("rb") as stream:
        line = stream.readline(LINE_LIMIT_BYTES)
    if len(line) == LINE_LIMIT_BYTES:
        raise TrainingError(f"{place}: row 1 is over {LINE_LIMIT_BYTES} bytes; is it CSV?")
    return line


def _is_header(cells: list[str], place: str) -> bool:
    """A header holds no number; a first row with some numbers is data, good or bad."""
    if len(cells) > 2 and cells == [str(number) for number in range(len(cells))]:
        raise TrainingError(
            f"{place}: row 1 counts its columns from 0, as pandas heads a table without names. "
            "Set csv_header to true if it is a header, to false if it is data"
        )
    return any(cells) and not any(_is_number(cell) for cell in cells)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _matrices(path: Path, place: str, columns: int, skip: int) -> Iterator[tuple[int, Matrix]]:
    row, schema = 2 if skip else 1, Schema(features=columns)
    with path.open("rb") as stream:
        stream.seek(skip)
        for text in _whole_lines(stream):
            try:
                matrix = parse(text, schema)
            except RefusalError as refusal:
                raise _fault(refusal, place, row, columns) from None
            yield row, matrix
            row += len(matrix)


def _whole_lines(stream: BinaryIO) -> Iterator[bytes]:
    rest = b""
    while chunk := stream.read(CHUNK_BYTES):
        whole, end, rest = (rest + chunk).rpartition(b"\n")
        if end:
            yield whole + end
    if rest:
        yield rest


def _fault(refusal: RefusalError, place: str, first: int, columns: int) -> TrainingError:
    relative = refusal.row or 1
    row = first + relative - 1
    if refusal.code == "WRONG_COLUMN_COUNT":
        return TrainingError(f"{place}: row {row} has not the {columns} columns that row 1 has")
    if refusal.code == "UNEXPECTED_HEADER":
        return TrainingError(f"{place}: row {row} holds no number at all")
    hint = ". If row 1 is a header, set csv_header to true" if row == 1 else ""
    return TrainingError(f"{place}: " + refusal.message.replace(f"row {relative}", f"row {row}", 1) + hint)
