"""A file's first bytes: whether they can be read at all, whether the first row is a header, where the rows begin."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dropscore.cells import outside_quotes, split_cells, value_of
from dropscore.errors import RejectedError
from dropscore.header import begins_as_header, is_header, names_all_features
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
    def of(cls, data: bytes, options: Options, *, is_whole: bool, names: Sequence[bytes] = ()) -> Head:
        """`names` are those of the model's features, none where they are unknown.

        Raises RejectedError for what cannot be read as rows of text, for a file without a row, and where the first row
        may as well be a header as a row.
        """
        _check_encoding(data)
        start = len(_BYTE_ORDER_MARK) if data.startswith(_BYTE_ORDER_MARK) else 0
        text = data[start:]
        if is_whole or len(data) >= HEAD_BYTES:
            _check_line_ends(text)
        rows = split_rows(text)
        whole = rows if is_whole else _ended(rows)
        if not whole and not is_whole:
            _check_needs(rows, options)
        headers = int(bool(whole) and _has_header(whole, options, names))
        if is_whole and len(rows) == headers:
            found = "a header and no rows" if headers else "no rows"
            raise RejectedError("EMPTY_FILE", f"the file has {found}; upload one that has rows")
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


def _check_needs(rows: list[bytes], options: Options) -> None:
    """Not one row of the head is whole: that matters where a header or columns are asked for, or may be there."""
    needs = options.header is True or options.columns or options.exclude or options.id is not None
    if needs or (options.header == "auto" and rows and begins_as_header(_cells(rows[0], options)[:-1])):
        raise RejectedError(
            "HEADER_TOO_LONG",
            f"the first row does not end within the file's first {HEAD_BYTES} bytes, so its columns are not known; "
            "look for a double quote that is never closed, or leave out columns, exclude and id and set header = false",
        )


def _ended(rows: list[bytes]) -> list[bytes]:
    """The rows that are whole for certain: the file goes on after the last one."""
    is_ended = bool(rows) and rows[-1].endswith(b"\n") and rows[-1].count(b'"') % 2 == 0
    return rows if is_ended else rows[:-1]


def _has_header(rows: list[bytes], options: Options, names: Sequence[bytes]) -> bool:
    first = _cells(rows[0], options)
    if options.header == "auto":
        width = usual_width(rows[1 : 1 + SAMPLE_ROWS], options.delimiter.encode())
        return is_header(first, width, names, options.named_columns)
    if options.header is False and names_all_features([value_of(cell) for cell in first], names):
        raise RejectedError(
            "UNANNOUNCED_HEADER",
            "the options say header = false, and the first row holds the names of all the model's features; "
            "set header = true",
        )
    return bool(options.header)


def usual_width(rows: Iterable[bytes], delimiter: bytes) -> int | None:
    """How many cells most of the rows have; None where there are no rows."""
    widths = Counter(len(split_cells(line_of(row), delimiter)) for row in rows)
    return widths.most_common(1)[0][0] if widths else None


def _cells(row: bytes, options: Options) -> list[bytes]:
    return split_cells(line_of(row), options.delimiter.encode())


def _end_of_header(text: bytes, header: bytes) -> int:
    blank = _BLANK_LINES.match(text)
    return blank.end() + len(header) if header and blank else 0
