"""How the rows of one file are read and sent: found out once from its first bytes, then applied to every request."""

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
    """`data_offset`: where the rows begin, in bytes of the unzipped file; `header`: that row as written, or empty.

    `lines_before`: the line ends before the rows. `choice` is None where the model gets all cells; `id` is the place
    of the id's cell, from 0.
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
        """From the first HEAD_BYTES of the unzipped file, or all of it.

        `features`: how many columns the model wants; `names`: how it names them, none where that is unknown.
        Raises RejectedError for what is wrong with the file as a whole: its encoding, its header, its columns.
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
        """Whether the model gets the file's own rows, but for blank lines and carriage returns."""
        return self.choice is None and self.values.is_plain

    def payload(self, data: bytes) -> bytes:
        """Raw rows of the file, from the start of one, as the request of a request: a line a row, blank lines left out."""
        text = tidied(data, self.dialect)
        return self.values.of_lines(self.choice.of(text)) if self.choice else self.values.of_text(text)

    def column(self, number: int) -> Column:
        """Column `number` of the file, from 1, by its name in the header."""
        return column_of(self.header, number, self.dialect)

    def sent_column(self, number: int, cells: int) -> Column | None:
        """The file's column that is number `number` of a row as it was sent; None where that row does not fit."""
        kept = self.choice.kept if self.choice else range(cells)
        return self.column(kept[number - 1] + 1) if 1 <= number <= cells == len(kept) else None
