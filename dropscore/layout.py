"""How the rows of one file are read and sent: found out once from its first bytes, then applied to every body."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dropscore.cells import is_plain, outside_quotes, split_cells
from dropscore.choice import COMMA, Choice
from dropscore.columns import Columns, check_width
from dropscore.head import HEAD_BYTES, Head
from dropscore.matching import NO_HEADER, Matching, comparable
from dropscore.options import Options
from dropscore.rows import joined, lines_of, tidied

__all__ = ["HEAD_BYTES", "Layout"]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """`data_offset`: where the rows begin, in bytes of the unzipped file; `header`: that row as written, or empty.

    `choice` is None where the model gets all cells; `id` is the place of the id's cell, from 0.
    """

    data_offset: int = 0
    header: bytes = b""
    delimiter: bytes = COMMA
    choice: Choice | None = None
    id: int | None = None
    matching: Matching = NO_HEADER

    @classmethod
    def of(
        cls, head: bytes, options: Options, *, features: int | None, is_whole: bool, names: Sequence[str] = ()
    ) -> Layout:
        """From the first HEAD_BYTES of the unzipped file, or all of it.

        `features`: how many columns the model wants; `names`: how it names them, none where that is unknown.
        Raises RejectedError for what is wrong with the file as a whole: its encoding, its header, its columns.
        """
        compared = comparable(names)
        found = Head.of(head, options, is_whole=is_whole, names=compared)
        columns = Columns.of(found, options, compared)
        delimiter = options.delimiter.encode()
        check_width(found, columns.choice, delimiter, features)
        return cls(
            data_offset=found.data_offset,
            header=found.header,
            delimiter=delimiter,
            choice=columns.choice,
            id=columns.id,
            matching=columns.matching,
        )

    @property
    def is_plain(self) -> bool:
        """Whether the model gets the file's own rows, but for blank lines and carriage returns."""
        return self.choice is None and self.delimiter == COMMA

    def payload(self, data: bytes) -> bytes:
        """Raw rows of the file, from the start of one, as the body of a request: a line a row, blank lines left out."""
        text = tidied(data)
        if self.choice:
            text = self.choice.of(text)
        return text if self.delimiter == COMMA else _with_commas(text, self.delimiter)


def _with_commas(text: bytes, delimiter: bytes) -> bytes:
    if COMMA not in text and is_plain(text, delimiter):
        return text.replace(delimiter, COMMA)
    return joined([COMMA.join(map(_quoted, split_cells(line, delimiter))) for line in lines_of(text)])


def _quoted(cell: bytes) -> bytes:
    """A cell that holds a comma is put in quotes, if it is not in quotes already."""
    if COMMA not in cell or COMMA not in outside_quotes(cell):
        return cell
    return b'"' + cell.replace(b'"', b'""') + b'"'
