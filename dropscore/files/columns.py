"""Finds the columns that the options name: by name in the header, or by number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dropscore.errors import RejectedError
from dropscore.files.cells import split_cells, value_of
from dropscore.files.dialect import Dialect
from dropscore.files.head import Head, usual_width
from dropscore.files.matching import NO_HEADER, Matching, NamedColumns
from dropscore.files.projection import Choice
from dropscore.files.rows import line_of
from dropscore.jobs.options import Options

Word = str | int


@dataclass(frozen=True, kw_only=True)
class Columns:
    """`choice` is None if the model gets all cells; `id` is the index of the id's cell, from 0."""

    choice: Choice | None = None
    id: int | None = None
    matching: Matching = NO_HEADER

    @classmethod
    def of(cls, head: Head, options: Options, features: Sequence[bytes] = ()) -> Columns:
        """`features` are the names of the model's features; empty if they are unknown.

        Raises RejectedError if the file does not have the columns that the options or the model name.
        """
        words = [*options.columns, *options.exclude, *([] if options.id is None else [options.id])]
        is_compared = bool(head.header) and options.match_columns == "name"
        if not words and not is_compared:
            return cls(matching=_by_position(head, options))
        table = _Table.of(head, options, words, is_named=is_compared and bool(features))
        id_place = None if options.id is None else table.place(options.id, "id")
        left_out = {id_place, *table.places(options.exclude, "exclude")}
        chosen = table.places(options.columns, "columns") or range(table.width)
        kept = tuple(place for place in chosen if place not in left_out)
        if not kept:
            raise RejectedError("COLUMN_MISSING", "no column is left for the model; check columns, exclude and id")
        matching = _by_position(head, options)
        if is_compared:
            kept, matching = _compared(table, kept, head, options, features)
        choice = Choice(width=table.width, kept=kept, dialect=Dialect.of(options))
        # Without a choice, rows are sent as they are in the file, without a copy.
        is_all = not words and kept == tuple(range(table.width))
        return cls(choice=None if is_all else choice, id=id_place, matching=matching)


def _compared(
    table: _Table, kept: tuple[int, ...], head: Head, options: Options, features: Sequence[bytes]
) -> tuple[tuple[int, ...], Matching]:
    """The columns for the model, in its order if its feature names are known."""
    if len(table.names) != table.width:
        raise _wrong_count(
            f"the header has {_columns({len(table.names)})} and the first rows have {_columns({table.width})}"
        )
    named = NamedColumns(head=head, header=table.names, kept=kept, options=options)
    if options.columns:
        named.check_order(features)
        return kept, Matching(why="columns")
    if not features:
        named.check_generated()
        return kept, _by_position(head, options)
    ordered = named.in_order_of(features)
    return ordered, Matching(is_by_name=True, is_reordered=list(ordered) != sorted(ordered))


def _by_position(head: Head, options: Options) -> Matching:
    if not head.header:
        return NO_HEADER
    if options.columns:
        return Matching(why="columns")
    if options.match_columns == "position":
        return Matching(why='match_columns = "position"')
    return Matching(why="the names of the model's features are unknown")


@dataclass(frozen=True)
class _Table:
    names: list[bytes]
    width: int

    @classmethod
    def of(cls, head: Head, options: Options, words: Iterable[Word], *, is_named: bool) -> _Table:
        """`is_named`: the header decides the width, even if the options use numbers only."""
        dialect = Dialect.of(options)
        header = split_cells(line_of(head.header), dialect)
        names = [value_of(cell) for cell in header] if head.header else []
        if any(isinstance(word, str) for word in words):
            if not names:
                raise _needs_header(next(word for word in words if isinstance(word, str)))
            return cls(names, len(names))
        return cls(names, len(names) if is_named else usual_width(head.rows, dialect) or len(names))

    def places(self, words: Iterable[Word], option: str) -> list[int]:
        """The indexes of the columns, from 0. Raises RejectedError if two words are the same column."""
        places = [self.place(word, option) for word in words]
        if len(set(places)) < len(places):
            raise RejectedError("DUPLICATE_COLUMN", f"{option}: a column is listed twice; list it once")
        return places

    def place(self, word: Word, option: str) -> int:
        if isinstance(word, int):
            return self._numbered(word, option)
        found = [place for place, name in enumerate(self.names) if name == word.strip().encode()]
        if not found:
            raise RejectedError(
                "COLUMN_MISSING", f"{option}: the header has no column {word!r}; correct the name, or use the number"
            )
        if len(found) > 1:
            raise RejectedError(
                "DUPLICATE_COLUMN",
                f"{option}: the header has column {word!r} {len(found)} times; use the column's number",
            )
        return found[0]

    def _numbered(self, number: int, option: str) -> int:
        if number > self.width:
            raise RejectedError(
                "COLUMN_MISSING",
                f"{option}: no column {number}: the rows have {self.width}; correct the number",
            )
        return number - 1


def check_width(head: Head, choice: Choice | None, dialect: Dialect, features: int | None) -> None:
    """Raises RejectedError if all of the first rows have a wrong width; if only some do, they are bad rows."""
    widths = {len(split_cells(line_of(row), dialect)) for row in head.rows}
    if not widths:
        return
    if choice is None:
        if features is not None and features not in widths:
            raise _wrong_count(f"the first rows have {_columns(widths)} and the model expects {features}")
    elif choice.width not in widths:
        raise _wrong_count(f"the header has {_columns({choice.width})} and the first rows have {_columns(widths)}")
    elif features not in (None, len(choice.kept)):
        left = len(choice.kept)
        raise _wrong_count(
            f"of the rows' {_columns({choice.width})} {left} {'is' if left == 1 else 'are'} left for the model, "
            f"which expects {features}"
        )


def _needs_header(word: str) -> RejectedError:
    return RejectedError(
        "COLUMNS_NEED_HEADER",
        f"the options name column {word!r}, but the first row does not look like a header; "
        "set header = true if it is one, or use the column's number",
    )


def _wrong_count(problem: str) -> RejectedError:
    return RejectedError(
        "WRONG_COLUMN_COUNT",
        f"{problem}; if the file has a header, an id or another delimiter, set header, id, exclude, columns "
        "or delimiter",
    )


def _columns(widths: set[int]) -> str:
    fewest, most = min(widths), max(widths)
    if fewest != most:
        return f"{fewest} to {most} columns"
    return "1 column" if most == 1 else f"{most} columns"
