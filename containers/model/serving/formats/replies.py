"""Write scores as CSV, JSON or JSON Lines. Each number is the shortest text that reads back as the same float32."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from numpy.typing import NDArray
from pyarrow import csv

Scores = NDArray[np.float32]
_OPTIONS = csv.WriteOptions(include_header=False, quoting_style="none")
_NOT_FINITE = re.compile(rb"-?(?:nan|inf)")


def csv_of(scores: Scores) -> bytes:
    """Return one line per row, with the row's numbers separated by commas."""
    columns = scores.reshape(len(scores), -1).T
    table = pa.table([pa.array(column) for column in columns], names=[str(number) for number in range(len(columns))])
    out = pa.BufferOutputStream()
    csv.write_csv(table, out, _OPTIONS)
    text: bytes = out.getvalue().to_pybytes()
    return text


def json_lines_of(scores: Scores) -> bytes:
    """Return one number per line, or one list per line if a row has several numbers."""
    lines = csv_of(scores)
    if not np.isfinite(scores).all():
        lines = _NOT_FINITE.sub(b"null", lines)  # JSON has no NaN or infinity
    return lines if scores.ndim == 1 else b"[" + lines[:-1].replace(b"\n", b"]\n[") + b"]\n"


def json_of(scores: Scores) -> bytes:
    """Return one document: `{"predictions": [...]}`."""
    return b'{"predictions": [' + json_lines_of(scores)[:-1].replace(b"\n", b", ") + b"]}\n"
