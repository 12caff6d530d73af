"""Columns of a file as messages name them."""

from __future__ import annotations

from typing import NamedTuple

MAX_CHARACTERS = 60


class Column(NamedTuple):
    """A column of the file: its number, from 1, and its name, empty if there is no header."""

    number: int
    name: str = ""

    def __str__(self) -> str:
        return f'column {self.number} ("{self.name}")' if self.name else f"column {self.number}"


def printable_name(name: bytes) -> str:
    """A column's name for messages and lists: one printable line of at most MAX_CHARACTERS characters."""
    text = name.decode(errors="replace").replace('"', "'")
    text = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    return text if len(text) <= MAX_CHARACTERS else text[:MAX_CHARACTERS] + "…"
