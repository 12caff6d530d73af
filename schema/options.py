"""The grammar of a route's options: which exist, their defaults, what each may be, and which exclude each other.

`[routes.*]` of dropscore.toml (stacks/settings/routes.py) and job options files (dropscore/jobs/options.py) obey it.
A check returns the value to keep, or raises ValueError with what to write instead.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

OUTPUTS: Final = ("scores", "id", "append")
MATCHES: Final = ("name", "position")
PRIORITIES: Final = range(9999 + 1)  # AWS Batch's range
MAX_WORDS = 50
MAX_WORD_CHARACTERS = 200
_NOT_IN_NAMES = '"\r\n\0'
_MAX_BAD_ROWS = re.compile(r"(\d+)|(\d+(?:\.\d+)?)%")

DEFAULTS: Final[Mapping[str, Any]] = {
    "max_bad_rows": 0,
    "header": "auto",
    "delimiter": ",",
    "match_columns": "name",
    "quote": "double",
    "escape": None,
    "decimal": ".",
    "na_values": (),
    "skip_empty_rows": False,
    "columns": (),
    "exclude": (),
    "id": None,
    "output": "scores",
    "score_names": (),
    "threshold": None,
    "labels": ("0", "1"),
}
"""Every option, in an order in which each stands behind those that it may conflict with."""


class RowLimit(NamedTuple):
    """`rows` rows; or, if that is None, `percent` of the file's rows."""

    rows: int | None
    percent: float


def row_limit(value: str | int) -> RowLimit:
    """`0`, `25` or `"0.5%"`. Raises ValueError."""
    matched = _MAX_BAD_ROWS.fullmatch(str(value))
    if matched is None or float(matched[2] or 0) > 100:
        raise ValueError('write a number of rows such as 25, or a percentage such as "0.5%"')
    return RowLimit(int(matched[1]), 0.0) if matched[1] else RowLimit(None, float(matched[2]))


def max_bad_rows(value: Any) -> str | int:
    row_limit(value)
    return value  # type: ignore[no-any-return]


def header(value: Any) -> bool | str:
    if isinstance(value, bool) or value == "auto":
        return value  # type: ignore[no-any-return]
    raise ValueError('write true, false or "auto"')


def delimiter(value: Any) -> str:
    # A character of numbers cannot separate them, and a quote already has a meaning.
    is_character = isinstance(value, str) and len(value) == 1 and (" " <= value <= "~" or value == "\t")
    if not is_character or value.isalnum() or value in '".+-':
        raise ValueError(
            r'write one character such as ";" or "\t", but not a letter, digit, double quote, point or sign'
        )
    return str(value)


def escape(value: Any) -> str | None:
    if value not in (None, "\\"):
        raise ValueError(r'write "\\", a backslash, or leave it out: doubled quotes need no option')
    return None if value is None else str(value)


def na_values(value: Any) -> tuple[str, ...]:
    words = tuple(_name(word) for word in _list(value, 'words such as "NA"'))
    if len(set(words)) < len(words) or len(words) > MAX_WORDS:
        raise ValueError(f"write each word once, and at most {MAX_WORDS} words")
    return words


def skip_empty_rows(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("write true or false")  # noqa: TRY004 - every check raises ValueError
    return value


def columns(value: Any) -> tuple[str | int, ...]:
    chosen = tuple(column(word) for word in _list(value, 'column names or numbers such as ["amount", 3]'))
    if len(set(chosen)) < len(chosen):
        raise ValueError("a column is listed twice; list it once")
    return chosen


def column(value: Any) -> str | int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    if isinstance(value, str) and value.strip():
        return _text(value)
    raise ValueError("write a column's name from the header, or its number, counted from 1")


def id_column(value: Any) -> str | int | None:
    return None if value is None else column(value)


def score_names(value: Any) -> tuple[str, ...]:
    names = tuple(_name(word) for word in _list(value, 'names such as ["fraud"], one for each column of scores'))
    if len(set(names)) < len(names):
        raise ValueError("a name occurs twice; each column of scores needs its own")
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
        raise ValueError('write two words, first the label of scores below the threshold, such as ["good", "bad"]')
    return words


def _one_of(*allowed: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in allowed:
            raise ValueError(
                "write " + " or ".join([", ".join(f'"{word}"' for word in allowed[:-1]), f'"{allowed[-1]}"'])
            )
        return str(value)

    return check


CHECKS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "max_bad_rows": max_bad_rows,
    "header": header,
    "delimiter": delimiter,
    "match_columns": _one_of(*MATCHES),
    "quote": _one_of("double", "none"),
    "escape": escape,
    "decimal": _one_of(".", ","),
    "na_values": na_values,
    "skip_empty_rows": skip_empty_rows,
    "columns": columns,
    "exclude": columns,
    "id": id_column,
    "output": _one_of(*OUTPUTS),
    "score_names": score_names,
    "threshold": threshold,
    "labels": labels,
}


class _Rule(NamedTuple):
    """`option` is at fault if `is_broken(option's value, other's value)`."""

    option: str
    other: str
    is_broken: Callable[[Any, Any], bool]
    fix: str


_RULES = (
    _Rule(
        "escape",
        "quote",
        lambda value, quote: value is not None and quote == "none",
        'needs quotes; remove quote = "none"',
    ),
    _Rule("escape", "delimiter", lambda value, cut: value == cut, "a backslash cannot be both delimiter and escape"),
    _Rule(
        "decimal",
        "delimiter",
        lambda value, cut: value == cut,
        'is the delimiter too; set `delimiter` to the character between two cells, such as ";"',
    ),
    _Rule(
        "na_values",
        "delimiter",
        lambda value, cut: _any_holds(value, cut),
        "a word contains the delimiter; use another",
    ),
    _Rule(
        "output",
        "id",
        lambda value, column: value == "id" and column is None,
        "needs the option `id`, which names that column",
    ),
    _Rule(
        "score_names",
        "delimiter",
        lambda value, cut: _any_holds(value, cut),
        "a name contains the delimiter; use another",
    ),
    _Rule(
        "labels",
        "threshold",
        lambda value, limit: value != DEFAULTS["labels"] and limit is None,
        "need a threshold; add one such as threshold = 0.5",
    ),
    _Rule(
        "labels",
        "delimiter",
        # With `output = "scores"`, a comma separates score and label, whatever the delimiter is.
        lambda value, cut: _any_holds(value, cut, ","),
        "a label contains a comma or the delimiter; use another",
    ),
)


def conflicts(options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The name of each option that excludes another, and what to do. A rule about a missing option is skipped."""
    for rule in _RULES:
        if (
            rule.option in options
            and rule.other in options
            and rule.is_broken(options[rule.option], options[rule.other])
        ):
            yield rule.option, rule.fix


def _list(value: Any, of: str) -> list[Any] | tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"write a list of {of}")  # noqa: TRY004 - every check raises ValueError
    return value


def _name(value: Any) -> str:
    """A word that is written into the output as a cell without quotes."""
    if not isinstance(value, str) or not value.strip() or any(character in value for character in _NOT_IN_NAMES):
        raise ValueError("write words in quotes, none of them empty, without double quotes or line breaks in them")
    return _text(value)


def _text(value: str) -> str:
    if len(value) > MAX_WORD_CHARACTERS:
        raise ValueError(f"a word has {len(value)} characters and may have {MAX_WORD_CHARACTERS}; use a number instead")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("a word contains half a character (a lone surrogate), which no file can contain") from None
    return value


def _any_holds(words: tuple[str, ...], *characters: str) -> bool:
    return any(character in word for word in words for character in characters)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer larger than every float
        return False
