"""Prefixes and suffixes of the keys in the bucket, and which names are never inputs."""

from __future__ import annotations

from typing import Final

INPUT: Final = "input/"
OUTPUT: Final = "output/"
PARTS: Final = "parts/"
CAPTURE: Final = "capture/"
CSV: Final = ".csv"
GZIP: Final = ".gz"
JOB_OPTIONS: Final = ".job.json"
"""Ends the key of a job options file: `input/a.csv.job.json` holds the options of `input/a.csv`."""

INPUT_PATTERNS: Final = ("*.csv", "*.csv.gz")
"""The default of `[inputs] names`."""
FOLDER_MARKERS: Final = ("/", "_$folder$")
UNFINISHED: Final = ("~", ".tmp", ".part", ".partial", ".filepart", ".crdownload", "._copying_")
"""Suffixes that editors, browsers, WinSCP and Hadoop give to files that they are still writing."""


def is_hidden(name: str) -> bool:
    """Whether Hive and Spark hide a file or folder of this name, such as `_temporary`, `_SUCCESS` and `._x.csv`.

    `_c0=7` is not hidden: it is a partition by the column `_c0`.
    """
    return name.startswith(".") or (name.startswith("_") and "=" not in name)
