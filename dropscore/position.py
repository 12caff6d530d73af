"""Where in a file something is, in the words of whoever made the file."""

from __future__ import annotations

from typing import NamedTuple

MOST_LETTERS = 60


class Column(NamedTuple):
    """A column of the file: its number, from 1, and its name, empty where there is no header."""

    number: int
    name: str = ""

    def __str__(self) -> str:
        return f'column {self.number} ("{self.name}")' if self.name else f"column {self.number}"


def shown(name: bytes) -> str:
    """A column's name for messages and lists: on one line, printable, and not too long."""
    text = name.decode(errors="replace").replace('"', "'")
    text = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    return text if len(text) <= MOST_LETTERS else text[:MOST_LETTERS] + "…"
