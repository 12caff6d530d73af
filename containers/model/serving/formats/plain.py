"""Turn CSV into plain CSV: lines that end in `\\n`, and cells without quotes or surrounding spaces.

Quotes, spaces or carriage returns that change the meaning of a cell raise `pa.ArrowInvalid`, as Arrow's reader does.
"""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from numpy.typing import NDArray

_STRAY_RETURN = re.compile(rb"\r(?!\n)")
_Text = NDArray[np.uint8]
COMMA, LINE_END, QUOTE, SPACE, TAB = b',\n" \t'


def plain(text: bytes) -> bytes:
    """Return the same cells as plain CSV. Raises `pa.ArrowInvalid` if that would change a cell."""
    if b"\r" in text:
        _stop_if(_STRAY_RETURN.search(text) is not None, "a carriage return that does not end a line")
        text = text.replace(b"\r", b"")
    if not text.endswith(b"\n"):
        text += b"\n"  # before the quotes are removed: a last row `""` would vanish
    if b'"' in text:
        text = _without_quotes(text)
    if b" " in text or b"\t" in text:
        text = _without_spaces(text)
    _stop_if(b"(" in text, "Arrow would read nan(7) as a number")
    return text


def _stop_if(is_bad: bool, what: str) -> None:
    if is_bad:
        raise pa.ArrowInvalid(what)


def _without_quotes(text: bytes) -> bytes:
    """Require pairs of quotes, each around one whole cell without a comma or line end."""
    characters = np.frombuffer(text, np.uint8)
    quotes = np.flatnonzero(characters == QUOTE)
    _stop_if(len(quotes) % 2 == 1, "an opening quote without a closing one")
    opening, closing = quotes[::2], quotes[1::2]
    delimiters = np.flatnonzero(_is_delimiter(characters))
    after = np.searchsorted(delimiters, opening)  # the next delimiter: it must directly follow the closing quote
    _stop_if(bool((delimiters[after] != closing + 1).any()), "a quote that does not end its cell")
    before = np.where(after > 0, delimiters[after - 1], -1)
    _stop_if(bool((before != opening - 1).any()), "a quote that does not begin its cell")
    return text.translate(None, b'"')


def _without_spaces(text: bytes) -> bytes:
    """Require each run of spaces to be between a delimiter and a number, not in a cell or in place of one."""
    # The line end in front lets the first cell begin with a space.
    characters = np.frombuffer(b"\n" + text, np.uint8)
    spaces = np.flatnonzero((characters == SPACE) | (characters == TAB))
    breaks = np.flatnonzero(np.diff(spaces) > 1)
    first, last = spaces[np.append(0, breaks + 1)], spaces[np.append(breaks, -1)]
    before, after = _is_delimiter(characters[first - 1]), _is_delimiter(characters[last + 1])
    _stop_if(bool((before == after).any()), "a space inside a cell, or a cell that holds only spaces")
    return text.translate(None, b" \t")


def _is_delimiter(characters: _Text) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (characters == COMMA) | (characters == LINE_END)
    return found
