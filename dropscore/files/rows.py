"""Rows and their line ends, LF or CR LF. Blank lines are not rows."""

from __future__ import annotations

from collections.abc import Iterable

from dropscore.files.cells import is_plain
from dropscore.files.dialect import RFC_4180, Dialect
from dropscore.files.requests import split_rows


def end_of(row: bytes) -> bytes:
    """The row's own line end; empty if the last row of a file has none."""
    if row.endswith(b"\r\n"):
        return b"\r\n"
    return row[-1:] if row.endswith((b"\n", b"\r")) else b""


def line_of(row: bytes) -> bytes:
    """The row without its line end."""
    return row[: len(row) - len(end_of(row))]


def lines_of(data: bytes, dialect: Dialect = RFC_4180) -> list[bytes]:
    """The rows of data, without line ends, as a model gets them. The data must begin at the start of a row."""
    has_returns = b"\r" in data  # a search for one byte is ten times quicker than for two
    has_empty_rows = dialect.skips_empty_rows and dialect.may_have_empty_rows(data)
    if has_empty_rows or not is_plain(data, b"\n", dialect) or (has_returns and b"\r\r" in data):
        return [_sent(row) for row in split_rows(data, dialect)]
    text = data.removesuffix(b"\r").replace(b"\r\n", b"\n") if has_returns else data
    return list(filter(None, text.split(b"\n")))


def joined(lines: Iterable[bytes]) -> bytes:
    return b"\n".join([*lines, b""])


def tidied(data: bytes, dialect: Dialect = RFC_4180) -> bytes:
    """The rows with LF line ends, also after the last row, and no blank lines; the data itself if it is so already.

    A last row of `""` without a line end would not be a row for a server that removes quotes first.
    """
    if b"\r" not in data and not dialect.has_blank_lines(data):
        return data if data.endswith(b"\n") or not data else data + b"\n"
    return joined(lines_of(data, dialect))


def _sent(row: bytes) -> bytes:
    """The row to send. A row that ends in two carriage returns keeps them, so that the model refuses it."""
    line = line_of(row)
    return row.removesuffix(b"\n") if line.endswith(b"\r") else line
