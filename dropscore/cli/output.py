"""Everything that the command line prints goes through this module, so that no foreign name can control the terminal.

Keys, names of files and models, members of archives, manifests and messages may contain control characters, which a
terminal obeys, and characters that reverse or hide the text around them. They are printed as escapes such as `\\x1b`.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterator
from types import TracebackType

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

PIPE_WIDTH = 1000
"""The width of a table in a pipe or a file, so that it is never folded."""


def printable(text: object, *, keep: str = "") -> str:
    """The text on one line, with escapes for characters that are not printable; the characters in `keep` do not change.

    That covers C0 and C1 controls, DEL, bidirectional and zero-width characters, line and paragraph separators, and
    bytes of file names that are not UTF-8.
    """
    text = str(text)
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character in keep else _escaped(character) for character in text
    )


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def write(text: str) -> None:
    """Writes one line of data to standard output."""
    print(printable(text), flush=True)


def write_json(value: object) -> None:
    """Writes JSON, whose own escapes keep the exact text for programs."""
    print(json.dumps(value, indent=2, ensure_ascii=True))


def write_table(table: Table) -> None:
    _SafeConsole(width=None if sys.stdout.isatty() else PIPE_WIDTH).print(table)


def say(text: str) -> None:
    """Writes a message to standard error. Indents lines after the first: a name with a line end cannot fake one."""
    talk.print(Text(printable(text, keep="\n").replace("\n", "\n  ")), soft_wrap=True)


def cell(text: object, style: str = "", *, keep: str = "") -> Text:
    """One cell of a table. Markup such as `[red]` has no effect."""
    return Text(printable(text, keep=keep), style=style)


def say_crash(error_type: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    """Prints an unexpected error, for `sys.excepthook`; it may contain a foreign name, too."""
    say("".join(traceback.format_exception(error_type, error, where)).rstrip())


class _SafeConsole(Console):
    """Escapes everything that is rendered, including tables and progress."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text, keep="\n"), segment.style)


talk: Console = _SafeConsole(stderr=True)
"""For progress and spinners; use `say` for lines of text."""
