"""A CSV's text made plain: lines that end in `\\n`, and cells without quotes or spaces around them.

`pa.ArrowInvalid`, as of a reader, when quotes, spaces or carriage returns mean anything more than decoration.
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
    if b"\r" in text:
        _stop_if(_STRAY_RETURN.search(text) is not None, "a carriage return that ends no line")
        text = text.replace(b"\r", b"")
    if not text.endswith(b"\n"):
        text += b"\n"  # before quotes go: a last row `""` would leave nothing
    if b'"' in text:
        text = _without_quotes(text)
    if b" " in text or b"\t" in text:
        text = _without_spaces(text)
    _stop_if(b"(" in text, "Arrow reads nan(7)")
    return text


def _stop_if(is_bad: bool, what: str) -> None:
    if is_bad:
        raise pa.ArrowInvalid(what)


def _without_quotes(text: bytes) -> bytes:
    """Quotes come in pairs, each around one whole cell with neither comma nor line end in it."""
    characters = np.frombuffer(text, np.uint8)
    quotes = np.flatnonzero(characters == QUOTE)
    _stop_if(len(quotes) % 2 == 1, "a quote without its pair")
    opening, closing = quotes[::2], quotes[1::2]
    marks = np.flatnonzero(_is_mark(characters))
    after = np.searchsorted(marks, opening)  # the first mark behind it: it must stand right behind the closing quote
    _stop_if(bool((marks[after] != closing + 1).any()), "a quote that does not end its cell")
    before = np.where(after > 0, marks[after - 1], -1)
    _stop_if(bool((before != opening - 1).any()), "a quote that does not begin its cell")
    return text.translate(None, b'"')


def _without_spaces(text: bytes) -> bytes:
    """A run of spaces stands between a mark and a number: neither between two marks nor within a cell."""
    characters = np.frombuffer(b"\n" + text, np.uint8)
    spaces = np.flatnonzero((characters == SPACE) | (characters == TAB))
    breaks = np.flatnonzero(np.diff(spaces) > 1)
    first, last = spaces[np.append(0, breaks + 1)], spaces[np.append(breaks, -1)]
    before, behind = _is_mark(characters[first - 1]), _is_mark(characters[last + 1])
    _stop_if(bool((before == behind).any()), "a space within a cell, or a cell of spaces")
    return text.translate(None, b" \t")


def _is_mark(characters: _Text) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (characters == COMMA) | (characters == LINE_END)
    return found
