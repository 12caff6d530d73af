"""Explains why the model refused a row: the column of the file, and an option that may help.

Cells are only compared with fixed words; their content is never repeated.
"""

from __future__ import annotations

import re

from dropscore.errors import RowFault
from dropscore.files.cells import content_of, split_cells, value_of
from dropscore.files.dialect import RFC_4180
from dropscore.files.layout import Layout
from dropscore.files.rows import line_of
from dropscore.scoring.bad_row_search import Explained

_USUAL_MISSING = frozenset(
    (b"na", b"n/a", b"#n/a", b"<na>", b"null", b"(null)", b"none", b"nil", b"\\n", b"-", b"--", b"?", b".", b"missing")
)
MAX_CHARACTERS = 20
_DECIMAL_COMMA = re.compile(rb"[+-]?[0-9]*,[0-9]+(?:[eE][+-]?[0-9]+)?")
_GROUPED = re.compile(rb"[+-]?[0-9][0-9.,' ]*")


def explained(row: bytes, fault: RowFault, layout: Layout) -> Explained:
    """Why the model refuses `row`, as it is in the file with that layout."""
    sent = layout.payload(row)
    cells = split_cells(line_of(sent), RFC_4180)
    column = None if fault.column is None else layout.sent_column(fault.column, len(cells))
    code, reason, hint = fault.code, fault.reason, ""
    # Only cells that are sent are checked: no UTF-8 or Latin-1 character contains a delimiter, a quote or a line end,
    # so a broken byte in another column cannot change a score.
    if not _is_utf_8(sent):
        code, reason = "ENCODING", "it is not UTF-8 text"
        hint = "it may be Latin-1 or Windows-1252; save the file as UTF-8"
    elif code in ("NOT_A_NUMBER", "BAD_ROW"):
        hint = _hint([cells[fault.column - 1]] if column and fault.column else cells, layout)
    where = f", {column}" if column else ""
    return Explained(code, reason + where + (f"; {hint}" if hint else ""), column)


def _hint(cells: list[bytes], layout: Layout) -> str:
    for cell in cells:
        word = content_of(cell, RFC_4180)
        # Spaces and tabs only: a hint with a line break in it would break the list of bad rows, one line for each row.
        if word.strip(b" \t").lower() in _USUAL_MISSING and len(word) < MAX_CHARACTERS:
            escaped = word.decode().replace("\\", "\\\\")
            return f'if its text means a missing value, set na_values = ["{escaped}"]'
    values = [value_of(cell) for cell in cells]
    if layout.values.has_decimal_commas:
        is_grouped = any(b"," in value and _GROUPED.fullmatch(value) for value in values)
        return 'with decimal = "," a point separates thousands: write numbers without them' if is_grouped else ""
    if any(_DECIMAL_COMMA.fullmatch(value) for value in values):
        return 'if the comma in it is a decimal comma, set decimal = ","'
    return ""


def _is_utf_8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
