"""Find the bad rows of a CSV request. Used only after `csv_rows` could not read it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from model.serving.formats.cells import numbers
from model.serving.formats.schema import Schema, moved, value_faults
from model.serving.refusal import MAX_NAMED_ROWS, Fault, cell_fault

LINE_BY_LINE_BYTES = 512  # a run of lines this short is not halved again
_QUOTED_CELL = re.compile(rb'(?:(?<=[,\n])|\A)"[^",\n]*"(?=[,\n]|\Z)')
# What Arrow's cast to float64 accepts, without its `nan(7)`. Spaces around a number are allowed.
_NUMBER = rb"[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|(?i:nan|inf(?:inity)?))"
_CELL = re.compile(rb"(?:[ \t]*" + _NUMBER + rb"[ \t]*)?")
IsGood = Callable[[bytes], bool]


def find_faults(text: bytes, schema: Schema, order: Sequence[int] | None, is_good: IsGood) -> list[Fault]:
    """Return the first fault of each bad row, in row order; at most one row more than a refusal names.

    `is_good` reads a run of lines the fast way. Halving the runs that it cannot read finds a thousand bad rows in about
    a second; reading line by line in Python takes ten.
    """
    found = (
        fault for before, lines in _bad_runs(text, 0, is_good) for fault in _faults_of(lines, before, schema, order)
    )
    return list(islice(found, MAX_NAMED_ROWS + 1))


def is_number(cell: bytes) -> bool:
    return _CELL.fullmatch(cell) is not None


def _bad_runs(text: bytes, before: int, is_good: IsGood) -> Iterator[tuple[int, bytes]]:
    """Yield each short run of lines that has a bad line, and the number of rows before it. `text` has a bad line."""
    cut = _middle(text)
    if not cut or len(text) <= LINE_BY_LINE_BYTES:
        yield before, text
        return
    head, tail = text[:cut], text[cut:]
    is_head_good = is_good(head)
    if not is_head_good:
        yield from _bad_runs(head, before, is_good)
    # `text` has a bad line: if its head is good, the tail is bad without a try.
    if is_head_good or not is_good(tail):
        yield from _bad_runs(tail, before + head.count(b"\n"), is_good)


def _middle(text: bytes) -> int:
    """Return the start of a line near the middle; 0 if the text is a single line."""
    after = text.find(b"\n", len(text) // 2) + 1
    return after if 0 < after < len(text) else text.rfind(b"\n", 0, len(text) // 2) + 1


def _faults_of(text: bytes, before: int, schema: Schema, order: Sequence[int] | None) -> list[Fault]:
    found: list[Fault] = []
    good: list[tuple[int, bytes]] = []
    for row, line in enumerate(text.replace(b"\r\n", b"\n").removesuffix(b"\n").split(b"\n"), before + 1):
        bare = _QUOTED_CELL.sub(lambda cell: cell[0][1:-1], line) if b'"' in line else line
        if fault := _text_fault(row, bare, schema):
            found.append(fault)
        else:
            good.append((row, bare.translate(None, b" \t")))
    return sorted([*found, *_value_faults(good, schema, order)], key=lambda fault: fault.row)


def _value_faults(good: Sequence[tuple[int, bytes]], schema: Schema, order: Sequence[int] | None) -> list[Fault]:
    """Check lines that hold only numbers. Each comes with its row number."""
    if not good:
        return []
    matrix = numbers(b"\n".join([*(line for _, line in good), b""]), schema.features)
    return moved(value_faults(matrix, schema, order), [row for row, _ in good])


def _text_fault(row: int, line: bytes, schema: Schema) -> Fault | None:
    if b"\r" in line:
        return Fault(row, None, "BAD_LINE_END", f"row {row} has a carriage return that does not end the line")
    if b'"' in line:
        return _quote_fault(row, line.count(b",", 0, line.index(b'"')) + 1, schema)
    if line.count(b",") + 1 != schema.features:
        return schema.wrong_count_in(row, line.count(b",") + 1)
    bad = [number for number, cell in enumerate(line.split(b","), 1) if not is_number(cell)]
    if row == 1 and len(bad) == schema.features:
        message = "row 1 looks like a header; if it is, send the content type `text/csv; header=present`"
        return Fault(row, None, "UNEXPECTED_HEADER", message)
    return cell_fault(row, bad[0], "NOT_A_NUMBER") if bad else None


def _quote_fault(row: int, column: int, schema: Schema) -> Fault:
    # The quote may come after more cells than the model has features.
    named_column = column if column <= schema.features else None
    place = f"row {row}, column {column}" if named_column else f"row {row}"
    return Fault(row, named_column, "NOT_A_NUMBER", f"{place} has a quote that does not enclose one whole cell")
