"""RFC 4180 in the words of its own grammar, and Python's csv module beside it: the oracles of the tests of quotes."""

from __future__ import annotations

import csv
import io
import re

from hypothesis import strategies as st


def is_sound(text: bytes, delimiter: str = ",", *, has_escapes: bool = False) -> bool:
    """Whether a text is rows of cells, each without a quote or in quotes; LF or CR LF, or a CR at the very end."""
    mark = re.escape(delimiter)
    plain = rf'(?:[^"\\{mark}\n]|\\\\|\\(?![{mark}\r\n"\\]))*' if has_escapes else rf'[^"{mark}\n]*'
    quoted = r'"(?:[^"\\]|""|\\[\s\S])*"' if has_escapes else r'"(?:[^"]|"")*"'
    end = r"(?:\r?\n|\r?\Z)"
    cell = rf"(?:{quoted}(?={mark}|{end})|{plain})"
    grammar = rf"(?:{cell}(?:{mark}{cell})*(?:\r?\n|\r?\Z))*"
    return re.fullmatch(grammar, text.decode()) is not None


def parsed(text: bytes, delimiter: str = ",") -> list[list[str]]:
    """By the csv module, strictly; blank lines are no rows."""
    rows = csv.reader(io.StringIO(text.decode(), newline=""), delimiter=delimiter, strict=True)
    return [row for row in rows if row]


def texts(letters: str = 'a1,;"\n\r ', size: int = 40) -> st.SearchStrategy[bytes]:
    return st.text(letters, max_size=size).map(str.encode)
