"""How the rows of one file are read and sent: decided once from its first bytes, then applied to every request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from dropscore.files.cells import column_of
from dropscore.files.columns import Columns, check_width
from dropscore.files.dialect import RFC_4180, Dialect
from dropscore.files.head import HEAD_BYTES, Head
from dropscore.files.matching import NO_HEADER, Matching, comparable
from dropscore.files.projection import Choice
from dropscore.files.rows import tidied
from dropscore.files.values import Values
from dropscore.jobs.options import Options
from dropscore.position import Column

__all__ = ["HEAD_BYTES", "Layout"]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """`data_offset`: the byte of the decompressed file at which the rows begin; `header`: the header row, or empty.

    `lines_before`: the number of line ends before the rows. `choice` is None if the model gets all cells; `id` is the
    index of the id's cell, from 0.
    """

    data_offset: int = 0
    lines_before: int = 0
    header: bytes = b""
    dialect: Dialect = RFC_4180
    values: Values = field(default_factory=Values)
    choice: Choice | None = None
    id: int | None = None
    matching: Matching = NO_HEADER

    @classmethod
    def of(
        cls, head: bytes, options: Options, *, features: int | None, is_whole: bool, names: Sequence[str] = ()
    ) -> Layout:
        """`head` is the first HEAD_BYTES of the decompressed file, or all of it if `is_whole`.

        `features` is how many columns the model expects; `names` are their names, empty if unknown.
        Raises RejectedError if the file's encoding, header or columns are wrong.
        """
        compared = comparable(names)
        found = Head.of(head, options, is_whole=is_whole, names=compared)
        columns = Columns.of(found, options, compared)
        dialect = Dialect.of(options)
        check_width(found, columns.choice, dialect, features)
        return cls(
            data_offset=found.data_offset,
            lines_before=head.count(b"\n", 0, found.data_offset),
            header=found.header,
            dialect=dialect,
            values=Values.of(options),
            choice=columns.choice,
            id=columns.id,
            matching=columns.matching,
        )

    @property
    def is_plain(self) -> bool:
        """Whether the model gets the file's own rows, except for blank lines and carriage returns."""
        return self.choice is None and self.values.is_plain

    def payload(self, data: bytes) -> bytes:
        """The bytes to send for raw rows of the file: one line for each row, without blank lines."""
        text = tidied(data, self.dialect)
        return self.values.of_lines(self.choice.of(text)) if self.choice else self.values.of_text(text)

    def column(self, number: int) -> Column:
        """Column `number` of the file, from 1, with its name in the header."""
        return column_of(self.header, number, self.dialect)

    def sent_column(self, number: int, cells: int) -> Column | None:
        """The file's column of cell `number`, from 1, of a sent row of `cells` cells; None if the row does not fit."""
        kept = self.choice.kept if self.choice else range(cells)
        return self.column(kept[number - 1] + 1) if 1 <= number <= cells == len(kept) else None
