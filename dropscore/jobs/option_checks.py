"""What each option may be. A check returns the value as it is kept, or raises ValueError that says what to write."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from dropscore.errors import ConfigurationError

OUTPUTS = ("scores", "id", "append")
MATCHES = ("name", "position")
MOST_WORDS = 50
MOST_LETTERS = 200
_NOT_IN_NAMES = '"\r\n\0'


def max_bad_rows(value: Any) -> str | int:
    from dropscore.scoring.tally import Allowance  # a cycle otherwise: the scorer stands between the two

    try:
        Allowance.parse(value)
    except ConfigurationError:
        raise ValueError('write a number of rows such as 25, or a percentage such as "0.5%"') from None
    return value  # type: ignore[no-any-return]


def header(value: Any) -> bool | str:
    if isinstance(value, bool) or value == "auto":
        return value  # type: ignore[no-any-return]
    raise ValueError('write true, false or "auto"')


def delimiter(value: Any) -> str:
    is_one = isinstance(value, str) and len(value) == 1 and (" " <= value <= "~" or value == "\t")
    if not is_one or value.isalnum() or value in '".+-':
        raise ValueError('write one character such as ";" or a tab; no letter, digit, double quote, point or sign')
    return str(value)


def match_columns(value: Any) -> str:
    if value not in MATCHES:
        raise ValueError('write "name" or "position"')
    return str(value)


def quote(value: Any) -> str:
    if value not in ("double", "none"):
        raise ValueError('write "double" where cells may stand in double quotes, or "none"')
    return str(value)


def escape(value: Any) -> str | None:
    if value not in (None, "\\"):
        raise ValueError(r'write "\\", a backslash; quotes that stand doubled need no option')
    return None if value is None else str(value)


def na_values(value: Any) -> tuple[str, ...]:
    words = tuple(_name(word) for word in _list(value, 'words such as "NA"'))
    if len(set(words)) < len(words) or len(words) > MOST_WORDS:
        raise ValueError(f"write each word once, and at most {MOST_WORDS} of them")
    return words


def decimal(value: Any) -> str:
    if value not in (".", ","):
        raise ValueError('write "." or ","')
    return str(value)


def skip_empty_rows(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("write true or false")  # noqa: TRY004 - every check complains by ValueError
    return value


def columns(value: Any) -> tuple[str | int, ...]:
    listed = _list(value, "names or numbers of columns")
    chosen = tuple(column(word) for word in listed)
    if len(set(chosen)) < len(chosen):
        raise ValueError("a column is named twice; name it once")
    return chosen


def column(value: Any) -> str | int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    if isinstance(value, str) and value.strip():
        return _text(value)
    raise ValueError("write a column's name from the header, or its number, counted from 1")


def id_column(value: Any) -> str | int | None:
    return None if value is None else column(value)


def output(value: Any) -> str:
    if value not in OUTPUTS:
        raise ValueError('write "scores", "id" or "append"')
    return str(value)


def score_names(value: Any) -> tuple[str, ...]:
    names = tuple(_name(word) for word in _list(value, "names"))
    if len(set(names)) < len(names):
        raise ValueError("a name is there twice; each column of scores needs its own")
    return names


def threshold(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
        raise ValueError("write a finite number such as 0.5")
    return float(value)


def labels(value: Any) -> tuple[str, str]:
    words = tuple(_name(word) for word in _list(value, "two words"))
    if len(words) != 2:
        raise ValueError('write two words: the label under the threshold, then the other, such as ["0", "1"]')
    return words


CHECKS: dict[str, Callable[[Any], Any]] = {
    "max_bad_rows": max_bad_rows,
    "header": header,
    "delimiter": delimiter,
    "match_columns": match_columns,
    "quote": quote,
    "escape": escape,
    "decimal": decimal,
    "na_values": na_values,
    "skip_empty_rows": skip_empty_rows,
    "columns": columns,
    "exclude": columns,
    "id": id_column,
    "output": output,
    "score_names": score_names,
    "threshold": threshold,
    "labels": labels,
}


def _list(value: Any, of: str) -> list[Any] | tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"write a list of {of}")  # noqa: TRY004 - every check complains by ValueError
    return value


def _name(value: Any) -> str:
    """A word that is written into the output as a cell without quotes."""
    if not isinstance(value, str) or not value.strip() or any(letter in value for letter in _NOT_IN_NAMES):
        raise ValueError("write words in quotes, none empty, without a double quote or a line end in them")
    return _text(value)


def _text(value: str) -> str:
    if len(value) > MOST_LETTERS:
        raise ValueError(f"a word of {len(value)} letters is too long; {MOST_LETTERS} is the most, or use a number")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("a word holds half a character (a lone surrogate), which no file can hold") from None
    return value


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond every float
        return False
