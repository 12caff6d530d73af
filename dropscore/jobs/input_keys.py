"""Which objects under input/ are files to score, which are rejected, and which nobody means.

`[inputs] names` of dropscore.toml lists patterns for the files to score. Names that tools use for what is hidden or
not finished are never files to score, whatever the patterns are: such an object gets no job.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from dropscore.jobs.routes import INPUT, SIDECAR

NAMES = ("*.csv", "*.csv.gz")
FOLDER_MARKERS = ("/", "_$folder$")
UNFINISHED = ("~", ".tmp", ".part", ".partial", ".filepart", ".crdownload", "._copying_")
"""How editors, browsers, WinSCP and Hadoop end the names of files that they still write."""


@dataclass(frozen=True)
class Inputs:
    """The patterns as the settings have them. Upper and lower case do not differ."""

    names: tuple[str, ...] = NAMES

    def has(self, key: str) -> bool:
        """A pattern with a slash is compared with all that stands after input/, any other with the last name alone."""
        path = key.removeprefix(INPUT).lower()
        name = path.rpartition("/")[2]
        return any(fnmatchcase(path if "/" in pattern else name, pattern.lower()) for pattern in self.names)

    @property
    def complaint(self) -> str:
        """Of a file that fits no pattern: why, and which setting decides."""
        return (
            f"the name fits none of the patterns {listed(self.names)}, which `names` of [inputs] in dropscore.toml "
            "lists; rename the file, or add a pattern there and deploy"
        )


def why_ignored(key: str) -> str | None:
    """Why an object is none that anybody wants scored; None for one that gets a job, be it only to be rejected."""
    if not key.startswith(INPUT):
        return "it does not lie under input/"
    if key.endswith(FOLDER_MARKERS):
        return "it marks a folder"
    if key.endswith(SIDECAR):
        return f"names that end in {SIDECAR} hold the options of other files"
    return _why_hidden(key.removeprefix(INPUT))


def listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))


def _why_hidden(path: str) -> str | None:
    name = path.rpartition("/")[2].lower()
    if any(map(_is_hidden, path.split("/"))):
        return "files and folders whose names begin with a point or an underscore are hidden"
    if name.startswith("~$") or name.endswith(UNFINISHED):
        return "its name is that of a temporary file"
    return None


def _is_hidden(name: str) -> bool:
    """As Hive and Spark see it: `_temporary`, `_SUCCESS`, `._x.csv`; `_c0=7` is a partition by the column `_c0`."""
    return name.startswith(".") or (name.startswith("_") and "=" not in name)
