"""How the bytes of a file divide into rows and cells: its delimiter, its quotes, and which lines are blank.

Quotes follow RFC 4180 exactly: a double quote opens a cell as its first character, is doubled inside the cell, and
closes it right before a delimiter or a line end. Anywhere else it is a stray quote: row ends after it are uncertain.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from dropscore.jobs.options import Options

COMMA = b","
QUOTE = b'"'
BACKSLASH = b"\\"
BLANK = (b"\n", b"\r\n", b"\r")


Bytes = TypeVar("Bytes", bytes, bytearray)


class Fault(NamedTuple):
    """A quote or a backslash at `position` that makes row ends uncertain, and the problem in words.

    The text before `certain` is sound; `certain` is a position in the cell at fault.
    """

    position: int
    certain: int
    problem: str


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """`has_escapes`: inside a quoted cell, a backslash before a quote or a backslash makes it an ordinary character."""

    delimiter: bytes = COMMA
    has_quotes: bool = True
    has_escapes: bool = False
    skips_empty_rows: bool = False

    @classmethod
    def of(cls, options: Options) -> Dialect:
        return cls(
            delimiter=options.delimiter.encode(),
            has_quotes=options.quote != "none",
            has_escapes=options.escape is not None,
            skips_empty_rows=options.skip_empty_rows,
        )

    def marks(self, data: Bytes) -> Bytes:
        """The data with ordinary quotes replaced, byte for byte: each quote that is left opens, closes or is doubled.

        An escaped quote becomes a backslash and a delimiter: harmless inside quotes, a fault outside.
        """
        if not self.has_quotes:
            return data.replace(QUOTE, b"x") if QUOTE in data else data
        if self.has_escapes and BACKSLASH in data:
            # Escaped backslashes first: a quote after one of them is not escaped.
            return data.replace(b"\\\\", b"xx").replace(b'\\"', BACKSLASH + self.delimiter)
        return data

    def outline(self, data: bytes) -> bytes:
        """The text outside quotes, with one quote for each quoted segment.

        A segment that is never closed becomes a quote and an ordinary character, which makes the outline unsound.
        """
        segments = self.marks(data).split(QUOTE)
        if len(segments) == 1:
            return segments[0]
        return QUOTE.join(segments[::2]) + (b"" if len(segments) % 2 else b'"x')

    def is_sound(self, outline: bytes) -> bool:
        """Whether every quote of the text with this outline is in a legal place.

        A quoted segment has a delimiter or a line end on both sides, or another segment: then a quote is doubled.
        """
        if self.has_escapes and self._loose_escape.search(outline):
            return False
        return QUOTE not in outline or not self._loose_quote.search(outline)

    def fault(self, data: bytes, *, is_whole: bool) -> Fault | None:
        """The first fault in text that starts at the start of a row. `is_whole`: no text follows it."""
        # `closed` starts at -2, because -1 would make a quote at position 0 a doubled one.
        marks, opened, closed = self.marks(data), -1, -2
        for mark in self._marks.finditer(marks):
            at = mark.start()
            if mark[0] != QUOTE:
                if opened < 0:
                    return Fault(at, at, "a backslash stands outside quotes before a delimiter, a quote or a line end")
            elif opened >= 0:
                opened, first, closed = -1, opened, at
                if not self._closes(marks, at):
                    return Fault(at, first, "something follows the quote that closes a cell")
            elif at == closed + 1:
                opened = first  # doubled: the cell goes on
            elif at and marks[at - 1 : at] not in (self.delimiter, b"\n"):
                return Fault(at, at, self._misplaced(marks, at))
            else:
                opened = at
        return (
            Fault(opened, opened, "a double quote opens a cell and is never closed")
            if is_whole and opened >= 0
            else None
        )

    def is_blank(self, line: bytes) -> bool:
        """Whether the line is not a row."""
        return line in BLANK or (self.skips_empty_rows and self.is_empty_row(line))

    def is_empty_row(self, line: bytes) -> bool:
        """Whether the line is not blank but has empty cells only."""
        return line not in BLANK and self._empty_row.fullmatch(line) is not None

    def has_blank_lines(self, data: bytes) -> bool:
        """Whether there may be blank lines. A true answer may be wrong: the two newlines may be within quotes."""
        is_at_edge = data.startswith(BLANK) or b"\n\n" in data
        has_returns = b"\r" in data and (b"\n\r\n" in data or data.endswith(b"\n\r"))
        return is_at_edge or has_returns or (self.skips_empty_rows and self.may_have_empty_rows(data))

    def may_have_empty_rows(self, data: bytes) -> bool:
        """Whether there may be empty rows: an empty row begins with an empty cell. A true answer may be wrong."""
        starts = (self.delimiter, b'""') if self.has_quotes else (self.delimiter,)
        return data.startswith(starts) or any(b"\n" + start in data for start in starts)

    def end_of_blank_lines(self, data: bytes) -> int:
        """The position at which the first row begins."""
        blank = self._blank_lines.match(data)
        return blank.end() if blank else 0

    def _closes(self, marks: bytes, at: int) -> bool:
        after = marks[at + 1 : at + 2]
        return after in (b"", QUOTE, b"\n", self.delimiter) or (
            after == b"\r" and marks[at + 2 : at + 3] in (b"", b"\n")
        )

    def _misplaced(self, marks: bytes, at: int) -> str:
        before = marks[:at].rstrip(b" \t")[-1:]
        if before in (b"", b"\n", self.delimiter):
            return "a blank stands before the double quote that opens a cell"
        return "a double quote stands in the middle of a cell"

    @cached_property
    def _marks(self) -> re.Pattern[bytes]:
        return re.compile(rb'"|\\[\r\n%b]' % re.escape(self.delimiter) if self.has_escapes else QUOTE)

    @cached_property
    def _loose_quote(self) -> re.Pattern[bytes]:
        """Begins with the quote, because the search for one byte is much quicker than for what may come before it."""
        mark = re.escape(self.delimiter)
        return re.compile(rb'"(?:(?<![%b\n"]")(?<!\A")|(?![%b\n"]|\r?\n|\r?\Z))' % (mark, mark))

    @cached_property
    def _loose_escape(self) -> re.Pattern[bytes]:
        return re.compile(rb"\\[\r\n%b]" % re.escape(self.delimiter))

    @cached_property
    def _empty_row(self) -> re.Pattern[bytes]:
        return re.compile(self._empty_cells + rb"\r?\n?")

    @cached_property
    def _blank_lines(self) -> re.Pattern[bytes]:
        return re.compile(rb"(?:%b\r?\n)*" % (self._empty_cells if self.skips_empty_rows else b""))

    @property
    def _empty_cells(self) -> bytes:
        cell = rb'(?:"")?' if self.has_quotes else b""
        return rb"%b(?:%b%b)*+" % (cell, re.escape(self.delimiter), cell)


RFC_4180 = Dialect()
