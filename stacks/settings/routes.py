"""`[routes.<name>]`: which model scores a file, how the file is read and what is written.

The words, types, defaults and rules are those of the runtime's `dropscore/jobs/options.py`; a test holds the two together.
"""

from __future__ import annotations

import re
import string
import sys
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field, PlainValidator, ValidationInfo, field_validator

from stacks.settings.sections import Section

# The rules exist twice because stacks and runtime do not import each other: synth reports all faults of the settings
# at once, and the runtime checks again because a job options file may change options.
RouteName = Annotated[str, Field(pattern=r"^[^/]+$", max_length=100)]
Column = str | int

QUOTES = ("double", "none")
MOST_WORDS = 50
OUTPUTS = ("scores", "id", "append")
MATCHES = ("name", "position")
LABELS = ("0", "1")
PRIORITIES = range(9999 + 1)
DELIMITERS = frozenset({*string.punctuation, " ", "\t"} - {*'".+-'})
MOST_LETTERS = 200
NOT_IN_NAMES = frozenset('"\r\n\0')


def _checked(is_good: Callable[[Any], bool], fix: str) -> PlainValidator:
    """Takes what `is_good` takes, a list as a tuple, and says `fix` of anything else: one complaint for each value."""

    def check(value: Any) -> Any:
        if not is_good(value):
            raise ValueError(fix)
        return tuple(value) if isinstance(value, list) else value

    return PlainValidator(check)


def _is_allowance(value: Any) -> bool:
    said = re.fullmatch(r"\d+|(\d+(?:\.\d+)?)%", str(value))
    return said is not None and float(said[1] or 0) <= 100


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and value.strip() != "" and len(value) <= MOST_LETTERS


def _is_column(value: Any) -> bool:
    return _is_word(value) or (type(value) is int and value >= 1)


def _are_columns(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_column, value)) and len(set(value)) == len(value)


def _are_names(value: Any) -> bool:
    """Words that can be written into a file without quotes."""
    return isinstance(value, list) and all(_is_word(each) and NOT_IN_NAMES.isdisjoint(each) for each in value)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= sys.float_info.max  # not true of NaN either


COLUMN = f"a column's name, of at most {MOST_LETTERS} letters, or its number, counted from 1"
Columns = Annotated[
    tuple[Column, ...],
    _checked(_are_columns, f'write a list such as ["amount", 3], each column once; for each write {COLUMN}'),
]


class RouteSettings(Section):
    model: str
    priority: Annotated[
        int,
        _checked(
            lambda said: type(said) is int and said in PRIORITIES,
            "write a whole number from 0 to 9999; jobs of a higher one start first",
        ),
    ] = 0
    uploaders: bool = False
    max_bad_rows: Annotated[
        int | str, _checked(_is_allowance, 'write a number of rows such as 25, or a percentage such as "0.5%"')
    ] = 0
    header: Annotated[
        bool | str, _checked(lambda said: type(said) is bool or said == "auto", 'write true, false or "auto"')
    ] = "auto"
    delimiter: Annotated[
        str,
        _checked(
            lambda said: isinstance(said, str) and said in DELIMITERS,
            r'write one character such as ";" or "\t"; no letter, digit, double quote, point or sign',
        ),
    ] = ","
    match_columns: Annotated[str, _checked(lambda said: said in MATCHES, 'write "name" or "position"')] = "name"
    quote: Annotated[str, _checked(lambda said: said in QUOTES, 'write "double" or "none"')] = "double"
    escape: Annotated[str | None, _checked(lambda said: said == "\\", r'write "\\", a backslash, or leave it out')] = (
        None
    )
    decimal: Annotated[str, _checked(lambda said: said in (".", ","), 'write "." or ","')] = "."
    na_values: Annotated[
        tuple[str, ...],
        _checked(
            lambda said: _are_names(said) and len(set(said)) == len(said) <= MOST_WORDS,
            f'write a list such as ["NA", "null"], each word once, at most {MOST_WORDS}, without quotes or line ends',
        ),
    ] = ()
    skip_empty_rows: Annotated[bool, _checked(lambda said: type(said) is bool, "write true or false")] = False
    columns: Columns = ()
    exclude: Columns = ()
    id: Annotated[Column | None, _checked(_is_column, f"write {COLUMN}")] = None
    output: Annotated[str, _checked(lambda said: said in OUTPUTS, 'write "scores", "id" or "append"')] = "scores"
    score_names: Annotated[
        tuple[str, ...],
        _checked(
            lambda said: _are_names(said) and len(set(said)) == len(said),
            'write a list of names such as ["fraud"], one for each column of scores, without quotes or line ends',
        ),
    ] = ()
    threshold: Annotated[float | None, _checked(_is_number, "write a number such as 0.5")] = None
    labels: Annotated[
        tuple[str, str],
        _checked(
            lambda said: _are_names(said) and len(said) == 2,
            'write two words, the first for scores under the threshold, such as ["good", "bad"]',
        ),
    ] = LABELS

    # `info.data` holds the keys above, except those that were wrong themselves: of these nothing more is said.
    @field_validator("escape")
    @classmethod
    def _goes_with_quotes(cls, escape: str | None, info: ValidationInfo) -> str | None:
        if escape is not None and info.data.get("quote") == "none":
            raise ValueError('escape goes with quotes; leave out quote = "none"')
        if escape is not None and info.data.get("delimiter") == escape:
            raise ValueError("a backslash cannot be both delimiter and escape")
        return escape

    @field_validator("decimal")
    @classmethod
    def _is_not_the_delimiter(cls, decimal: str, info: ValidationInfo) -> str:
        if decimal == info.data.get("delimiter"):
            raise ValueError('the delimiter is "," too; say by delimiter what stands between two cells, such as ";"')
        return decimal

    @field_validator("na_values")
    @classmethod
    def _hold_no_delimiter(cls, words: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if any(info.data.get("delimiter", "\n") in word for word in words):
            raise ValueError("a word holds the delimiter; use another")
        return words

    @field_validator("output")
    @classmethod
    def _has_an_id_to_write(cls, output: str, info: ValidationInfo) -> str:
        if output == "id" and info.data.get("id", "") is None:
            raise ValueError('say by id which column that is, or write "scores" or "append"')
        return output

    @field_validator("score_names")
    @classmethod
    def _fit_between_delimiters(cls, names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if any(info.data.get("delimiter", "\n") in name for name in names):
            raise ValueError("a name holds the delimiter; use another")
        return names

    @field_validator("labels")
    @classmethod
    def _go_with_a_threshold(cls, labels: tuple[str, str], info: ValidationInfo) -> tuple[str, str]:
        if labels != LABELS and info.data.get("threshold", 0) is None:
            raise ValueError("labels go with a threshold; add one such as threshold = 0.5")
        if any(letter in label for label in labels for letter in (",", info.data.get("delimiter", ","))):
            raise ValueError("a label holds a comma or the delimiter; use another")
        return labels

    def spelled_out(self) -> dict[str, Any]:
        """The model, and of the options those that differ from their defaults: what the runtime reads."""
        return self.model_dump(exclude_defaults=True, exclude={"uploaders"})
