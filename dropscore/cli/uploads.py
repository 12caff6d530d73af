"""The files that a command uploads, and their keys: a file by its name, a folder's files by their paths below it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from dropscore.cli.output import printable, say
from dropscore.jobs.input_keys import Inputs, why_ignored
from schema.keys import INPUT

Paths = Annotated[
    list[Path],
    typer.Argument(metavar="FILE|FOLDER…", exists=True, readable=True, help="A folder's files keep their paths."),
]
MAX_NAMED = 5


@dataclass(frozen=True)
class Drop:
    """A local file, and the name below input/ under which it is uploaded."""

    file: Path
    name: str

    @property
    def key(self) -> str:
        return INPUT + self.name


def drops(paths: Sequence[Path], inputs: Inputs, folder: str = "") -> list[Drop]:
    """The uploads for these files and folders. Raises BadParameter if a file would not be scored.

    `folder` is below input/ and ends in a slash, or is empty.
    """
    found = [drop for path in paths for drop in _of(path, inputs, folder)]
    # Two versions of one key would be two jobs, and `dropscore result` would fetch only the second one's scores.
    first: dict[str, Path] = {}
    for drop in found:
        if drop.key in first:
            raise typer.BadParameter(
                f"{printable(first[drop.key])} and {printable(drop.file)} would both be uploaded as "
                f"{printable(drop.key)}; name the folder that contains both, to keep their paths"
            )
        first[drop.key] = drop.file
    return found


def _of(path: Path, inputs: Inputs, folder: str) -> list[Drop]:
    if path.is_dir():
        return _below(path, inputs, folder)
    drop = Drop(path, folder + path.name)
    if why := _why_not(drop.key, inputs):
        raise typer.BadParameter(f"{printable(path)} would not be scored: {why}")
    return [drop]


def _below(path: Path, inputs: Inputs, folder: str) -> list[Drop]:
    """The files in a folder that are inputs. Prints the names of the others, except hidden and temporary files."""
    found = [Drop(file, folder + file.relative_to(path).as_posix()) for file in sorted(_files(path))]
    taken = [drop for drop in found if _why_not(drop.key, inputs) is None]
    others = [printable(drop.file) for drop in found if drop not in taken and why_ignored(drop.key) is None]
    if not taken:
        raise typer.BadParameter(f"{printable(path)} contains no file to score; {inputs.mismatch}")
    if others:
        more = f" and {len(others) - MAX_NAMED} more" if len(others) > MAX_NAMED else ""
        say(f"not uploaded: {', '.join(others[:MAX_NAMED])}{more}; {inputs.mismatch}")
    return taken


def _files(folder: Path) -> Iterator[Path]:
    for root, _, names in os.walk(folder, onerror=_unreadable):
        yield from (Path(root, name) for name in names)


def _unreadable(error: OSError) -> None:
    raise typer.BadParameter(f"{printable(error.filename)} cannot be read: {error.strerror}")


def _why_not(key: str, inputs: Inputs) -> str | None:
    try:
        key.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8; rename it"
    return why_ignored(key) or (None if inputs.has(key) else inputs.mismatch)
