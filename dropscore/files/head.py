"""Reads a file's first bytes: checks the encoding, decides whether the first row is a header, finds the first rows."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dropscore.errors import RejectedError, StrayQuoteError
from dropscore.files.cells import column_of, split_cells, value_of
from dropscore.files.dialect import Dialect, Fault
from dropscore.files.header import begins_as_header, is_header, names_all_features
from dropscore.files.requests import Request, split_rows, stray
from dropscore.files.rows import line_of
from dropscore.jobs.options import Options

HEAD_BYTES = 1 << 16
SAMPLE_ROWS = 20
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_OTHER_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")  # UTF-16 and UTF-32
# Skipped if it agrees with `delimiter`; otherwise the file is rejected, because one of the two must be wrong.
_SEPARATOR_LINE = re.compile(rb'(")?sep=([^\r\n])(?(1)")(?:\r?\n|\r?\Z)', re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Head:
    """`header` is the row as it is written, empty if there is none; `rows` are the first complete rows after it."""

    data_offset: int
    header: bytes
    rows: tuple[bytes, ...]

    @classmethod
    def of(cls, data: bytes, options: Options, *, is_whole: bool, names: Sequence[bytes] = ()) -> Head:
        """`names` are the names of the model's features, empty if unknown. `is_whole`: `data` is the whole file.

        Raises RejectedError if the file cannot be read as rows of text, if it has no rows, and if the first row may be
        either a header or a row.
        """
        _check_encoding(data)
        dialect, start = Dialect.of(options), _start(data, options)
        text = data[start:]
        if is_whole or len(data) >= HEAD_BYTES:
            _check_line_ends(dialect.outline(text))
        # Before any row is looked at: after a stray quote, it is uncertain where the first row ends.
        fault = dialect.fault(text, is_whole=is_whole)
        if fault:
            raise _stray(fault, data, start, options, names)
        rows = split_rows(text, dialect)
        whole = rows if is_whole else _ended(rows, dialect)
        if not whole and not is_whole:
            _check_needs(rows, options)
        headers = int(bool(whole) and _has_header(whole, options, names))
        if is_whole and len(rows) == headers:
            found = "a header and no rows" if headers else "no rows"
            raise RejectedError("EMPTY_FILE", f"the file has {found}; upload one that has rows")
        header = b"".join(rows[:headers])
        _check_names(header)
        return cls(
            data_offset=start + _end_of_header(text, header, dialect),
            header=header,
            rows=tuple(whole[headers : headers + SAMPLE_ROWS]),
        )


def _start(data: bytes, options: Options) -> int:
    """The position after a byte order mark and the line `sep=` by which a file names its delimiter to Excel."""
    start = len(_BYTE_ORDER_MARK) if data.startswith(_BYTE_ORDER_MARK) else 0
    separator_line = _SEPARATOR_LINE.match(data, start)
    if not separator_line:
        return start
    if separator_line[2] != options.delimiter.encode():
        shown = "\\t" if separator_line[2] == b"\t" else separator_line[2].decode("latin-1")
        raise RejectedError(
            "OTHER_DELIMITER",
            f"line 1 has sep={shown}, but the options have delimiter = {json.dumps(options.delimiter)}: "
            f'set delimiter = "{shown}", and the line is skipped; or remove the line',
        )
    return separator_line.end()


def _stray(fault: Fault, data: bytes, start: int, options: Options, names: Sequence[bytes]) -> StrayQuoteError:
    """The error for the fault. Rows count after the header, if the rows before the fault show one."""
    dialect, text = Dialect.of(options), data[start:]
    rows = _ended(split_rows(text[: fault.certain], dialect), dialect)
    try:
        has_header = options.header is True or bool(rows and _has_header(rows, options, names))
    except RejectedError:
        has_header = False  # the row number may be off by one; the line is right
    error = stray(Request(text, 1 - has_header, 0, start, data.count(b"\n", 0, start) + 1, dialect), fault)
    if has_header and rows:
        error.name(column_of(rows[0], error.column, dialect))
    return error


def _check_names(header: bytes) -> None:
    try:
        header.decode()
    except UnicodeDecodeError:
        raise RejectedError(
            "ENCODING",
            "the header is not UTF-8 text, it may be Latin-1 or Windows-1252; save the file as CSV in UTF-8",
        ) from None


def _check_encoding(data: bytes) -> None:
    if data.startswith(_OTHER_MARKS) or b"\0" in data:
        raise RejectedError(
            "ENCODING", "the file is not UTF-8 text but UTF-16, UTF-32 or binary; save it as CSV in UTF-8"
        )


def _check_line_ends(outside: bytes) -> None:
    if b"\r" in outside and b"\n" not in outside:
        raise RejectedError(
            "BAD_LINE_ENDS", "the file's lines end in carriage returns alone; save it with LF or CR LF line ends"
        )


def _check_needs(rows: list[bytes], options: Options) -> None:
    """The head has no complete row: raises RejectedError if the options need a header or columns, or may need them."""
    needs = options.header is True or options.columns or options.exclude or options.id is not None
    if needs or (options.header == "auto" and rows and begins_as_header(_cells(rows[0], options)[:-1])):
        raise RejectedError(
            "HEADER_TOO_LONG",
            f"the first row does not end within the file's first {HEAD_BYTES} bytes, so its columns are unknown; "
            "look for a double quote that is never closed, or leave out columns, exclude and id and set header = false",
        )


def _ended(rows: list[bytes], dialect: Dialect) -> list[bytes]:
    """The rows that are certainly complete; the file goes on after the last one."""
    is_ended = bool(rows) and rows[-1].endswith(b"\n") and dialect.marks(rows[-1]).count(b'"') % 2 == 0
    return rows if is_ended else rows[:-1]


def _has_header(rows: list[bytes], options: Options, names: Sequence[bytes]) -> bool:
    first = _cells(rows[0], options)
    if options.header == "auto":
        width = usual_width(rows[1 : 1 + SAMPLE_ROWS], Dialect.of(options))
        return is_header(first, width, names, options.named_columns)
    if options.header is False and names_all_features([value_of(cell) for cell in first], names):
        raise RejectedError(
            "UNEXPECTED_HEADER",
            "the options have header = false, but the first row contains the names of all the model's features; "
            "set header = true",
        )
    return bool(options.header)


def usual_width(rows: Iterable[bytes], dialect: Dialect) -> int | None:
    """How many cells most of the rows have; None if there are no rows."""
    widths = Counter(len(split_cells(line_of(row), dialect)) for row in rows)
    return widths.most_common(1)[0][0] if widths else None


def _cells(row: bytes, options: Options) -> list[bytes]:
    return split_cells(line_of(row), Dialect.of(options))


def _end_of_header(text: bytes, header: bytes, dialect: Dialect) -> int:
    return dialect.end_of_blank_lines(text) + len(header) if header else 0
