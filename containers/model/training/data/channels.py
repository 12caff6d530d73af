"""Find the files of a channel and their formats, from inputdataconfig.json and input/data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.training.errors import TrainingError
from model.training.folders import Folders

CSV, PARQUET = "text/csv", "application/x-parquet"
SUFFIXES = {".csv": CSV, ".parquet": PARQUET, ".pq": PARQUET}
CONTENT_TYPES = {CSV: CSV, PARQUET: PARQUET, "application/parquet": PARQUET, "csv": CSV, "parquet": PARQUET}


@dataclass(frozen=True, kw_only=True)
class Channel:
    """`files` have their content types. `is_shared` means that every host has all files and reads its share of rows."""

    name: str
    folder: Path
    files: tuple[tuple[Path, str], ...]
    is_shared: bool

    def place(self, path: Path) -> str:
        """Return a file's name for messages, without paths of this machine."""
        return f"{self.name}/{path.relative_to(self.folder)}"


def channel(folders: Folders, name: str) -> Channel | None:
    """Return a channel; None if the job does not have it. Raises TrainingError."""
    config = folders.config("inputdataconfig")
    folder = folders.channel(name)
    if name not in config and not folder.exists():
        return None
    options: Mapping[str, Any] = config.get(name, {})
    if options.get("TrainingInputMode") == "Pipe":
        raise TrainingError(
            f"channel {name}: Pipe mode is not supported, because quantiles need several passes over the data. "
            "Use FastFile, which streams too, or File"
        )
    content_type = _content_type(name, options.get("ContentType") or "")
    files = tuple((path, content_type or _by_suffix(name, folder, path)) for path in _files(folder))
    if not files:
        raise TrainingError(f"channel {name} has no file on this host; every host needs at least one")
    is_shared = options.get("S3DistributionType", "FullyReplicated") == "FullyReplicated"
    return Channel(name=name, folder=folder, files=files, is_shared=is_shared)


def _files(folder: Path) -> list[Path]:
    """Return the data files, without those that tools leave beside them (`_SUCCESS`, `.crc`)."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith((".", "_")) and path.stat().st_size
    )


def _content_type(name: str, text: str) -> str | None:
    if not text:
        return None
    content_type, *options = (part.strip().lower() for part in text.split(";"))
    if content_type not in CONTENT_TYPES:
        raise TrainingError(f"channel {name}: content type {content_type} is not supported; use {CSV} or {PARQUET}")
    wrong = [option for option in options if option.startswith("label_size") and option != "label_size=1"]
    if wrong:
        raise TrainingError(
            f"channel {name}: {wrong[0]} is not supported; put one label in the first column (label_size=1)"
        )
    return CONTENT_TYPES[content_type]


def _by_suffix(name: str, folder: Path, path: Path) -> str:
    if path.suffix.lower() not in SUFFIXES:
        raise TrainingError(
            f"{name}/{path.relative_to(folder)}: the name must end in .csv or .parquet; "
            f"rename the file, or set the channel's content type ({CSV} or {PARQUET})"
        )
    return SUFFIXES[path.suffix.lower()]
