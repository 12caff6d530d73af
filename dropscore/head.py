"""A file's first bytes: whether they can be read at all, whether the first row is a header, where the rows begin."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dropscore.cells import is_numeric, outside_quotes, split_cells, value_of
from dropscore.errors import RejectedError
from dropscore.lines import split_rows
from dropscore.options import Options
from dropscore.rows import line_of

HEAD_BYTES = 1 << 16
SAMPLE_ROWS = 20
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_OTHER_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")  # UTF-16 and UTF-32
_BLANK_LINES = re.compile(rb"(?:\r?\n)*")


@dataclass(frozen=True, kw_only=True)
class Head:
    """`header` is the row as it is written, empty where there is none; `rows` the first whole ones after it."""

    data_offset: int
    header: bytes
    rows: tuple[bytes, ...]

    @classmethod
    def of(cls, data: bytes, options: Options, *, is_whole: bool) -> Head:
        """Raises RejectedError for what cannot be read as rows of text, and for a file without a row."""
        _check_encoding(data)
        start = len(_BYTE_ORDER_MARK) if data.startswith(_BYTE_ORDER_MARK) else 0
        text = data[start:]
        if is_whole or len(data) >= HEAD_BYTES:
            _check_line_ends(text)
        rows = split_rows(text)
        whole = rows if is_whole else _ended(rows)
        if not whole and not is_whole:
            _check_needs(options)
        headers = int(bool(whole) and _has_header(rows, len(whole), options))
        if is_whole and len(rows) == headers:
            raise RejectedError("EMPTY_FILE", "the file has no rows; upload one that has")
        header = b"".join(rows[:headers])
        return cls(
            data_offset=start + _end_of_header(text, header),
            header=header,
            rows=tuple(whole[headers : headers + SAMPLE_ROWS]),
        )


def _check_encoding(data: bytes) -> None:
    if data.startswith(_OTHER_MARKS) or b"\0" in data:
        raise RejectedError(
            "ENCODING", "the file is not UTF-8 text but UTF-16, UTF-32 or binary; save it as CSV in UTF-8"
        )


def _check_line_ends(text: bytes) -> None:
    outside = outside_quotes(text)
    if b"\r" in outside and b"\n" not in outside:
        raise RejectedError(
            "BAD_LINE_ENDS", "the file's lines end in carriage returns alone; save it with LF or CR LF line ends"
        )


def _check_needs(options: Options) -> None:
    """Not one row of the head is whole: that matters where a header or columns are asked for."""
    if options.header is True or options.columns or options.exclude or options.id is not None:
        raise RejectedError(
            "HEADER_TOO_LONG",
            f"the first row does not end within the file's first {HEAD_BYTES} bytes, so its columns are not known; "
            "look for a double quote that is never closed, or leave out header, columns, exclude and id",
        )


def _ended(rows: list[bytes]) -> list[bytes]:
    """The rows that are whole for certain: the file goes on after the last one."""
    is_ended = bool(rows) and rows[-1].endswith(b"\n") and rows[-1].count(b'"') % 2 == 0
    return rows if is_ended else rows[:-1]


def _has_header(rows: list[bytes], whole: int, options: Options) -> bool:
    if options.header != "auto":
        return bool(options.header)
    delimiter = options.delimiter.encode()
    first = split_cells(line_of(rows[0]), delimiter)
    second = split_cells(line_of(rows[1]), delimiter) if len(rows) > 1 else []
    seen = second if whole > 1 else second[:-1]  # the last cell of a row that is cut may be cut as well
    return _are_names(first) and any(is_numeric(cell) for cell in seen)


def _are_names(cells: list[bytes]) -> bool:
    """No numbers, and no empty cells but the first: data frames leave the name of their row numbers empty."""
    names = [value_of(cell) for cell in cells]
    return any(names) and all(names[1:]) and not any(is_numeric(cell) for cell in cells)


def _end_of_header(text: bytes, header: bytes) -> int:
    blank = _BLANK_LINES.match(text)
    return blank.end() + len(header) if header and blank else 0
