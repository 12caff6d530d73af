"""Which objects under input/ are inputs, which are rejected, and which are ignored.

`[inputs] names` of dropscore.toml lists patterns for the inputs. Names that tools give to hidden or unfinished files
are ignored, whatever the patterns are: such an object gets no job.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from schema.keys import FOLDER_MARKERS, INPUT, INPUT_PATTERNS, JOB_OPTIONS, UNFINISHED, is_hidden


@dataclass(frozen=True)
class Inputs:
    """The patterns of the settings. Matching ignores case."""

    names: tuple[str, ...] = INPUT_PATTERNS

    def has(self, key: str) -> bool:
        """Whether the key matches: a pattern with a slash all that follows input/, any other pattern the last name."""
        path = key.removeprefix(INPUT).lower()
        name = path.rpartition("/")[2]
        return any(fnmatchcase(path if "/" in pattern else name, pattern.lower()) for pattern in self.names)

    @property
    def mismatch(self) -> str:
        """For a file that matches no pattern: the reason, and the setting that decides."""
        return (
            f"the name matches none of the patterns {listed(self.names)}, which `names` of [inputs] in dropscore.toml "
            "lists; rename the file, or add a pattern there and deploy"
        )


def why_ignored(key: str) -> str | None:
    """Why an object gets no job; None if it gets one, even if only to be rejected."""
    if not key.startswith(INPUT):
        return "it is not under input/"
    if key.endswith(FOLDER_MARKERS):
        return "it marks a folder"
    if key.endswith(JOB_OPTIONS):
        return f"a name that ends in {JOB_OPTIONS} is a job options file"
    return _why_hidden(key.removeprefix(INPUT))


def listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))


def _why_hidden(path: str) -> str | None:
    name = path.rpartition("/")[2].lower()
    if any(map(is_hidden, path.split("/"))):
        return "files and folders whose names start with a point or an underscore are hidden"
    if name.startswith("~$") or name.endswith(UNFINISHED):
        return "its name is the name of a temporary file"
    return None
