"""inputdataconfig.json and the files under input/data: what there is to read, and as what."""

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
    """`is_shared` when every host has all the files and takes its part of the rows."""

    name: str
    folder: Path
    files: tuple[tuple[Path, str], ...]
    is_shared: bool

    def place(self, path: Path) -> str:
        """A file's name for people: no path of the machine in it."""
        return f"{self.name}/{path.relative_to(self.folder)}"


def channel(folders: Folders, name: str) -> Channel | None:
    """None when the job has no such channel."""
    config = folders.config("inputdataconfig")
    folder = folders.channel(name)
    if name not in config and not folder.exists():
        return None
    said: Mapping[str, Any] = config.get(name, {})
    if said.get("TrainingInputMode") == "Pipe":
        raise TrainingError(
            f"channel {name}: Pipe mode is not read, because quantiles need several passes over the data. "
            "Use FastFile, which streams too, or File"
        )
    content_type = _content_type(name, said.get("ContentType") or "")
    files = tuple((path, content_type or _by_suffix(name, folder, path)) for path in _files(folder))
    if not files:
        raise TrainingError(f"channel {name} holds no file on this host; every host needs at least one")
    is_shared = said.get("S3DistributionType", "FullyReplicated") == "FullyReplicated"
    return Channel(name=name, folder=folder, files=files, is_shared=is_shared)


def _files(folder: Path) -> list[Path]:
    """What tools leave beside the data (`_SUCCESS`, `.crc`) is no data."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith((".", "_")) and path.stat().st_size
    )


def _content_type(name: str, text: str) -> str | None:
    if not text:
        return None
    kind, *options = (part.strip().lower() for part in text.split(";"))
    if kind not in CONTENT_TYPES:
        raise TrainingError(f"channel {name}: content type {kind} is not read; give {CSV} or {PARQUET}")
    wrong = [option for option in options if option.startswith("label_size") and option != "label_size=1"]
    if wrong:
        raise TrainingError(
            f"channel {name}: {wrong[0]} is not possible: one label, in the first column (label_size=1)"
        )
    return CONTENT_TYPES[kind]


def _by_suffix(name: str, folder: Path, path: Path) -> str:
    if path.suffix.lower() not in SUFFIXES:
        raise TrainingError(
            f"{name}/{path.relative_to(folder)}: neither .csv nor .parquet; "
            f"rename it or give the channel a content type ({CSV} or {PARQUET})"
        )
    return SUFFIXES[path.suffix.lower()]
