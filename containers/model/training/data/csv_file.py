"""Read a CSV file as float32 matrices of bounded size, split at line ends.

Uses the server's parser (`model.serving.formats.csv_rows`), so that training and serving read every cell alike.
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
CHUNK_BYTES = 16 << 20  # XGBoost sketches and merges each block: with 4 MB that takes twice as long
LINE_LIMIT_BYTES = 4 << 20


@dataclass(frozen=True, kw_only=True)
class Opened:
    """Each of `matrices` comes with the number of its first row in the file, from 1, including a header."""

    columns: int
    names: tuple[str, ...] | None
    matrices: Iterator[tuple[int, Matrix]]


def open_csv(path: Path, place: str, header: str) -> Opened:
    """`header` is auto, true or false; `place` names the file in errors. Raises TrainingError."""
    first = _first_line(path, place)
    cells = [cell.strip() for cell in next(csv.reader([first.decode("utf-8-sig", errors="replace")]), [""])]
    if len(cells) == 1 and any(mark in first for mark in (b";", b"\t", b"|")):
        raise TrainingError(f"{place}: cells must be separated by commas, but row 1 has no comma")
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
    """A header has no numbers; a first row with some numbers is data, valid or not."""
    if len(cells) > 2 and cells == [str(number) for number in range(len(cells))]:
        raise TrainingError(
            f"{place}: row 1 counts its columns from 0, as pandas writes the header of columns without names. "
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
        return TrainingError(f"{place}: row {row} does not have {columns} columns, as row 1 has")
    if refusal.code == "UNEXPECTED_HEADER":
        return TrainingError(f"{place}: row {row} has no numbers")
    hint = ". If row 1 is a header, set csv_header to true" if row == 1 else ""
    return TrainingError(f"{place}: " + refusal.message.replace(f"row {relative}", f"row {row}", 1) + hint)
