"""Converts cells from the file's own notation to RFC 4180 rows with commas."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from dropscore.files.cells import content_of, is_plain, outside_quotes, quoted, split_cells
from dropscore.files.dialect import BACKSLASH, COMMA, QUOTE, RFC_4180, Dialect
from dropscore.files.rows import joined, lines_of

if TYPE_CHECKING:
    from dropscore.jobs.options import Options

_EMPTY_LINE = re.compile(rb"^(?=\n)", re.MULTILINE)
_NUMBER = re.compile(rb"[ \t]*[+-]?[0-9.,]*[0-9][0-9.,]*(?:[eE][+-]?[0-9]+)?[ \t]*")
_OF_NUMBERS = b"0123456789+-eE,\n"
_SWAPPED = bytes.maketrans(b",.", b".,")


@dataclass(frozen=True, kw_only=True)
class Values:
    """`missing`: words for a missing value, which become empty cells. `has_decimal_commas`: 1,5 becomes 1.5."""

    dialect: Dialect = RFC_4180
    missing: tuple[bytes, ...] = ()
    has_decimal_commas: bool = False

    @classmethod
    def of(cls, options: Options) -> Values:
        return cls(
            dialect=Dialect.of(options),
            missing=tuple(word.encode() for word in options.na_values),
            has_decimal_commas=options.decimal == ",",
        )

    @property
    def is_plain(self) -> bool:
        """Whether cells are sent as they are written."""
        is_usual = self.dialect.delimiter == COMMA and self.dialect.has_quotes and not self.dialect.has_escapes
        return is_usual and not self.missing and not self.has_decimal_commas

    def of_text(self, text: bytes) -> bytes:
        """Converts rows that end in LF, without blank lines, to the text of a request."""
        if self.is_plain:
            return text
        quick = self._quickly(text)
        return self._slowly(lines_of(text, self.dialect)) if quick is None else quick

    def of_lines(self, lines: Sequence[bytes]) -> bytes:
        """Converts rows without line ends; an empty line is a row with one empty cell."""
        quick = None if self.is_plain else self._quickly(joined(lines))
        return self._slowly(lines) if quick is None else _without_empty_lines(quick)

    def _quickly(self, text: bytes) -> bytes | None:
        """The quick way, on the whole text at once; None if it must be done cell by cell."""
        dialect = self.dialect
        is_odd = (dialect.has_escapes and BACKSLASH in text) or (not dialect.has_quotes and QUOTE in text)
        if is_odd or b"\r" in text or not is_plain(text, dialect.delimiter + b"\n", dialect):
            return None
        text = self._without_missing(text) if any(word in text for word in self.missing) else text
        if self.has_decimal_commas:
            is_numeric = not text.translate(None, _OF_NUMBERS + dialect.delimiter)
            return text.translate(self._swap) if is_numeric else None
        if dialect.delimiter == COMMA:
            return text
        # A cell that contains a comma needs quotes, which only the slow way adds.
        return None if COMMA in text else text.replace(dialect.delimiter, COMMA)

    def _slowly(self, lines: Sequence[bytes]) -> bytes:
        return joined([_filled(line if self.is_plain else self._line(line)) for line in lines])

    def _line(self, line: bytes) -> bytes:
        return COMMA.join([self._cell(cell) for cell in split_cells(line, self.dialect)])

    def _cell(self, cell: bytes) -> bytes:
        content = content_of(cell, self.dialect)
        if content in self.missing:
            return b""
        if self.has_decimal_commas and _NUMBER.fullmatch(content):
            # Points group thousands in this notation: they become commas, so that the model refuses the cell.
            content = content.translate(_SWAPPED)
            return quoted(content) if COMMA in content else content
        if not self.dialect.has_quotes or (self.dialect.has_escapes and BACKSLASH in cell):
            return quoted(content) if COMMA in content or QUOTE in content or content != cell else cell
        return quoted(cell) if COMMA in cell and COMMA in outside_quotes(cell) else cell

    def _without_missing(self, text: bytes) -> bytes:
        """Only for text without delimiters or line ends within quotes."""
        # With it, the first cell follows a newline too, as the patterns expect.
        text = b"\n" + text
        for before, cells in self._missing_cells.items():
            # In a replacement a backslash begins an escape, and the delimiter may be a backslash.
            text = cells.sub(before.replace(BACKSLASH, BACKSLASH * 2), text)
        return _without_empty_lines(text[1:])

    @cached_property
    def _missing_cells(self) -> dict[bytes, re.Pattern[bytes]]:
        """Patterns for the missing words, quoted or not, by the byte before the cell, which is found quickly."""
        words = b"|".join(re.escape(word) for word in self.missing)
        delimiter = self.dialect.delimiter
        cell = rb'(?:"(?:%b)"|(?:%b))(?=[%b\n])' % (words, words, re.escape(delimiter))
        return {before: re.compile(re.escape(before) + cell) for before in (delimiter, b"\n")}

    @cached_property
    def _swap(self) -> bytes:
        return bytes.maketrans(COMMA + self.dialect.delimiter, b"." + COMMA)


def _without_empty_lines(text: bytes) -> bytes:
    """Only for text without line ends within quotes."""
    return _EMPTY_LINE.sub(b'""', text) if text.startswith(b"\n") or b"\n\n" in text else text


def _filled(line: bytes) -> bytes:
    """The line; `""` for an empty line or a carriage return alone, which would not count as a row."""
    return line if line.strip(b"\r") else quoted(line)
