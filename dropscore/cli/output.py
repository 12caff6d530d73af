"""Everything that the command line prints goes through this module, so that no name from outside can steer a terminal.

Keys, names of files and models, members of archives, manifests and messages may hold control characters, which a
terminal obeys, and characters that reverse or hide what is around them. They are printed as escapes such as `\\x1b`.
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
"""What goes into a pipe or a file is never folded."""


def printable(text: object, *, keep: str = "") -> str:
    """The text on one line, with escapes for all that is no letter, digit, sign or plain space; `keep` stays as it is.

    That covers C0 and C1 controls, DEL, bidirectional and zero-width characters, line and paragraph separators, and
    bytes of file names that are not UTF-8.
    """
    text = str(text)
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in keep else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def write(text: str) -> None:
    """Data, one line of it, to standard output."""
    print(printable(text), flush=True)


def write_json(value: object) -> None:
    """JSON has escapes of its own, by which programs read back what stood deployment."""
    print(json.dumps(value, indent=2, ensure_ascii=True))


def write_table(table: Table) -> None:
    _SafeConsole(width=None if sys.stdout.isatty() else PIPE_WIDTH).print(table)


def say(text: str) -> None:
    """Talk, to standard error. Lines after the first are set in, so that no name with a line end can pose as one."""
    talk.print(Text(printable(text, keep="\n").replace("\n", "\n  ")), soft_wrap=True)


def cell(text: object, style: str = "", *, keep: str = "") -> Text:
    """One cell of a table: markup such as `[red]` is text like any other."""
    return Text(printable(text, keep=keep), style=style)


def say_crash(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    """For `sys.excepthook`: an error that nobody expected may quote a name, too."""
    say("".join(traceback.format_exception(kind, error, where)).rstrip())


class _SafeConsole(Console):
    """The last gate: whatever is rendered, in tables and progress too, goes through here on its way out."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text, keep="\n"), segment.style)


talk: Console = _SafeConsole(stderr=True)
"""For progress and spinners; plain lines are for `say`."""
