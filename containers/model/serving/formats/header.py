"""The header line of a CSV that announces one."""

from __future__ import annotations

import csv
from collections.abc import Callable

from model.serving.refusal import RefusalError


def split_header(text: bytes, features: int, is_number: Callable[[bytes], bool]) -> tuple[list[str], bytes]:
    """The names in the first line, and what follows it."""
    line, _, rest = text.partition(b"\n")
    names = _names(line.removesuffix(b"\r"))
    if len(names) != features:
        raise _bad_header(f"the header has {len(names)} names, the model needs {features}")
    numbering = [str(number) for number in range(features)]  # as data frames number columns without names
    if names != numbering and all(is_number(name.encode()) for name in names):
        raise _bad_header("a header is announced, but the first line holds numbers; is it a row?")
    return names, rest


def _names(line: bytes) -> list[str]:
    try:
        return next(csv.reader([line.decode()], strict=True), [])
    except (csv.Error, UnicodeDecodeError):
        raise _bad_header("the header line is not CSV in UTF-8") from None


def _bad_header(message: str) -> RefusalError:
    return RefusalError(400, "BAD_HEADER", message)
