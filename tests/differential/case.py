"""Makes a file and its options from a seed: quotes, delimiters, line ends, headers, ids, columns, shards."""

from __future__ import annotations

import gzip
import random
from dataclasses import dataclass, field
from typing import Any

from tests.differential.models import MODELS, DemoModel

TEXTS = (
    "x17",
    "5 pipes, bent",
    'a 5" pipe',
    "two\nlines",
    "crlf\r\nhere",
    "Zoë",
    "",
    " padded ",
    "NA",
    "2026-01-02",
    '"',
)
PREFIXES = ("id", "note", "comment")


@dataclass(frozen=True)
class Column:
    """A column of the file: the feature that it holds, or None for text."""

    name: str
    feature: int | None = None


@dataclass(frozen=True, kw_only=True)
class Case:
    """`damage` is the byte that was changed after writing, or None for an undamaged file."""

    seed: int
    model: DemoModel
    columns: tuple[Column, ...]
    options: dict[str, Any]
    data: bytes
    has_header: bool
    delimiter: str
    shards: int
    max_payload_bytes: int
    is_compressed: bool = False
    damage: int | None = None
    bad_rows: frozenset[int] = field(default_factory=frozenset)

    @property
    def key(self) -> str:
        return "input/a.csv.gz" if self.is_compressed else "input/a.csv"

    @property
    def dropped(self) -> bytes:
        return gzip.compress(self.data, mtime=0) if self.is_compressed else self.data


def case_of(seed: int) -> Case:
    return _Maker(seed).case()


class _Maker:
    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.seed = seed

    def case(self) -> Case:
        rng = self.rng
        model = rng.choice(MODELS)
        has_header = rng.random() < 0.6
        delimiter = rng.choice(",,,;\t|")
        columns = self._columns(model, has_header)
        options = self._options(model, columns, delimiter, has_header=has_header)
        bad_rows: set[int] = set()
        data, longest, header_end = self._write(columns, delimiter, bad_rows, has_header=has_header)
        if bad_rows:
            options["max_bad_rows"] = rng.choice(["100%", len(bad_rows)])
            if (
                "output" in options
            ):  # the first rows of a shard may all be rejected; then the number of scores per row is unknown
                options["score_names"] = [f"score_{number}" for number in range(model.outputs)]
        damage = None
        if rng.random() < 0.3:
            damage = rng.randrange(header_end if options.get("header", "auto") == "auto" else 0, len(data) + 1)
            data = self._damaged(data, damage)
        return Case(
            seed=self.seed,
            model=model,
            columns=columns,
            options=options,
            data=data,
            has_header=has_header,
            delimiter=delimiter,
            shards=rng.randint(1, 7),
            max_payload_bytes=rng.choice([2 * longest + 40, 3 * longest + 100, 5_000])
            if longest < 2_000
            else 3 * longest,
            is_compressed=rng.random() < 0.1,
            damage=damage,
            bad_rows=frozenset(bad_rows),
        )

    def _columns(self, model: DemoModel, has_header: bool) -> tuple[Column, ...]:
        names = model.names or [f"column {number}" for number in range(1, model.features + 1)]
        columns = [Column(name, place) for place, name in enumerate(names)]
        if model.names and has_header:
            self.rng.shuffle(columns)
        for number in range(self.rng.choice([0, 0, 1, 2])):
            columns.insert(
                self.rng.randint(0, len(columns)), Column(f"{PREFIXES[number]}{self.rng.choice(['', ' of it'])}")
            )
        return tuple(columns)

    def _options(
        self, model: DemoModel, columns: tuple[Column, ...], delimiter: str, *, has_header: bool
    ) -> dict[str, Any]:
        options: dict[str, Any] = {}
        if delimiter != ",":
            options["delimiter"] = delimiter
        if self.rng.random() < 0.5:
            options["header"] = has_header
        reference = (
            (lambda place: columns[place].name) if has_header and self.rng.random() < 0.7 else (lambda place: place + 1)
        )
        others = [place for place, column in enumerate(columns) if column.feature is None]
        if others:
            options["id"] = reference(others[0])
        if others[1:]:
            options["exclude"] = [reference(place) for place in others[1:]]
        if model.names is None and self.rng.random() < 0.2:
            order = sorted(
                (place for place, column in enumerate(columns) if column.feature is not None),
                key=lambda _: self.rng.random(),
            )
            options["columns"] = [reference(place) for place in order]
        options["output"] = self.rng.choice(["scores", "append", *(["id"] if others else [])])
        if options["output"] == "scores":
            del options["output"]
        return options

    def _write(
        self, columns: tuple[Column, ...], delimiter: str, bad_rows: set[int], *, has_header: bool
    ) -> tuple[bytes, int, int]:
        """The text, the length of its longest row in bytes, and the end of the header."""
        rng = self.rng
        count = rng.choice([1, 1, 2, 3, 5, 8, 20, 60, 200])
        ends = rng.choice([["\n"], ["\n"], ["\r\n"], ["\n", "\r\n"]])
        quoting, blank = rng.choice([0, 0.1, 1]), rng.choice([0, 0, 0.1])
        is_marked = rng.random() < 0.1
        header = delimiter.join(self._written(column.name, quoting, delimiter) for column in columns)
        rows = []
        spoilt = rng.choice([0, 0, 0, 0.1])
        for number in range(1, count + 1):
            is_bad = number > 1 and rng.random() < spoilt
            cells = [self._number() if column.feature is not None else rng.choice(TEXTS) for column in columns]
            if is_bad:
                bad_rows.add(number)
                feature = next(place for place, column in enumerate(columns) if column.feature is not None)
                cells[feature] = rng.choice(["wrong", "wro\nng"])
            elif number == 1:  # a first row without a number could be a header
                cells = [
                    repr(rng.uniform(-3, 3)) if column.feature is not None else cell
                    for column, cell in zip(columns, cells, strict=True)
                ]
            rows.append(delimiter.join(self._written(cell, quoting, delimiter) for cell in cells) or '""')
        lines = [header, *rows] if has_header else rows
        text = "".join(line + rng.choice(ends) + ("\n" if rng.random() < blank else "") for line in lines)
        if rng.random() < 0.2:
            text = text.rstrip("\r\n")
        data = (b"\xef\xbb\xbf" if is_marked else b"") + text.encode()
        end = len(header.encode()) + 5 if has_header else 0
        return data, max(len(line.encode()) for line in lines) + 2, end

    def _number(self) -> str:
        rng = self.rng
        value = rng.uniform(-3, 3)
        return rng.choice(
            [
                repr(value),
                repr(value),
                f"{value:.2f}",
                f"{value:e}",
                str(round(value)),
                "",
                "nan",
                f" {value:.3f}",
                ".5",
            ]
        )

    def _written(self, cell: str, quoting: float, delimiter: str) -> str:
        needs_quotes = any(character in cell for character in (delimiter, '"', "\n", "\r"))
        return '"' + cell.replace('"', '""') + '"' if needs_quotes or self.rng.random() < quoting else cell

    def _damaged(self, data: bytes, place: int) -> bytes:
        what = self.rng.choice([b'"', b'"', b",", b";", b"\n", b"\r", b"x", b"7", b"", b'""'])
        return data[:place] + what + data[place + self.rng.randint(0, 2) :]
