"""Read the header line of a CSV whose content type says `header=present`."""

from __future__ import annotations

import csv
from collections.abc import Callable

from model.serving.refusal import RefusalError


def split_header(text: bytes, features: int, is_number: Callable[[bytes], bool]) -> tuple[list[str], bytes]:
    """Return the names in the first line, and the text after it. Raises RefusalError BAD_HEADER."""
    line, _, rest = text.partition(b"\n")
    names = _names(line.removesuffix(b"\r"))
    if len(names) != features:
        raise _bad_header(f"the header has {len(names)} names, but the model has {features} features")
    numbering = [str(number) for number in range(features)]  # pandas writes such a header for columns without names
    if names != numbering and all(is_number(name.encode()) for name in names):
        raise _bad_header("the first line holds numbers; if it is a row, send header=absent")
    return names, rest


def _names(line: bytes) -> list[str]:
    try:
        return next(csv.reader([line.decode()], strict=True), [])
    except (csv.Error, UnicodeDecodeError):
        raise _bad_header("the header line is not UTF-8 or not CSV") from None


def _bad_header(message: str) -> RefusalError:
    return RefusalError(400, "BAD_HEADER", message)
