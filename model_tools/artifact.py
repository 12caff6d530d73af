"""The artifact: a `model.tar.gz` with one XGBoost model and its manifest.

The same model gives the same bytes every time, so a deployment changes only when the model does.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import math
import os
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from model_tools.errors import Code, ModelImportError
from model_tools.sandbox.budget import Budget

MANIFEST = "manifest.json"
MANIFEST_LIMIT_BYTES = 32 << 20
MEMBERS_LIMIT = 1000
_TYPES = {
    **dict.fromkeys(("model", "sha256", "objective"), str),
    **dict.fromkeys(("features", "outputs", "trees", "iterations", "verified_rows"), int),
}


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a model came from: the file's name, sha256 and recognized format."""

    name: str
    sha256: str
    format: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Facts about `model`, for the model container and for people.

    `iterations` is the number of boosting rounds to predict with, 0 if there are none (gblinear);
    `missing` is the number that means a missing value, None for an empty cell only; `categorical` are the columns, from
    1, that hold category codes; `feature_names` are those of the booster, None if it has none.
    """

    model: str
    sha256: str
    features: int
    objective: str
    outputs: int
    trees: int
    iterations: int
    missing: float | None
    source: Source
    converted_with: str | None
    verified_rows: int
    categorical: tuple[int, ...] = ()
    feature_names: tuple[str, ...] | None = None
    format: int = 1

    @classmethod
    def from_json(cls, text: bytes) -> Manifest:
        """Return the manifest with checked types. Raises ModelImportError WRONG_MANIFEST."""
        try:
            fields = json.loads(text)
            _check_types(fields)
            changed = {"source": Source(**fields["source"]), "categorical": tuple(fields.get("categorical", ()))}
            names = fields.get("feature_names")
            return cls(**{**fields, **changed, "feature_names": None if names is None else tuple(names)})
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ModelImportError(
                f"{MANIFEST} is not a Dropscore manifest: {str(error)[:300]}", code=Code.WRONG_MANIFEST
            ) from error

    def to_json(self) -> bytes:
        fields = {"format": self.format, **asdict(self)}
        if not self.categorical:
            del fields["categorical"]
        if self.feature_names is None:
            del fields["feature_names"]
        return json.dumps(fields, indent=2).encode() + b"\n"


def _check_types(fields: dict[str, Any]) -> None:
    for name, expected in _TYPES.items():
        # `type`, because `isinstance` would take `true` for an int.
        if type(fields[name]) is not expected:
            raise TypeError(f"its {name} is not of type {expected.__name__}")
    missing = fields["missing"]
    if missing is not None and (type(missing) not in {int, float} or not math.isfinite(missing)):
        raise TypeError("its missing is not a number")
    for name, expected in (("categorical", int), ("feature_names", str)):
        listed = fields.get(name)
        if listed is not None and not (isinstance(listed, list) and all(type(item) is expected for item in listed)):
            raise TypeError(f"its {name} is not a list of type {expected.__name__}")
    if fields.get("format", 1) != 1:
        raise ValueError("its format is not 1; a newer Dropscore wrote it")


def digest(content: bytes) -> str:
    """Return the SHA-256 as 64 hex digits."""
    return hashlib.sha256(content).hexdigest()


def pack(destination: Path, manifest: Manifest, model: bytes) -> None:
    """Write the artifact atomically. Raises ValueError if the manifest is that of another model."""
    if digest(model) != manifest.sha256:
        raise ValueError("the manifest belongs to another model")
    archive = _tar({MANIFEST: manifest.to_json(), manifest.model: model})
    # Without mtime=0, the header holds the time, and the same model would give other bytes.
    write_atomically(destination, gzip.compress(archive, compresslevel=6, mtime=0))


def write_atomically(destination: Path, content: bytes) -> None:
    """Write to a temporary file and rename it, so that a reader never sees a partial file."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=destination.parent, prefix=f".{destination.name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
        # `mkstemp` creates files that only their owner can read.
        Path(temporary).chmod(0o644)
        Path(temporary).replace(destination)
    except BaseException:
        Path(temporary).unlink()
        raise


def _tar(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def members(content: bytes, budget: Budget | None = None) -> dict[str, bytes]:
    """Return a tar's regular files by path, without writing to disk. The tar may be compressed by gzip.

    Raises ModelImportError, also for links and for paths that lead out of the archive.
    """
    budget = budget or Budget(len(content))
    if content[:2] == b"\x1f\x8b":
        content = gunzip(content, budget)
    try:
        # Not `r:*`, which also decompresses bz2 and xz, and outside of the budget.
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            return dict(_files(archive, budget))
    except (tarfile.TarError, ValueError, OverflowError, RecursionError, EOFError) as error:
        raise ModelImportError(f"the tar archive cannot be read: {str(error)[:300]}") from error


def _files(archive: tarfile.TarFile, budget: Budget) -> Iterator[tuple[str, bytes]]:
    for number, entry in enumerate(archive):
        if number == MEMBERS_LIMIT:
            raise ModelImportError(
                f"the archive has over {MEMBERS_LIMIT} entries; make an archive of the model alone", code=Code.TOO_LARGE
            )
        if not entry.isdir():
            budget.spend(max(entry.size, 0))
            yield _path_of(entry), _content_of(archive, entry)


def gunzip(content: bytes, budget: Budget) -> bytes:
    """Return the decompressed bytes. Raises ModelImportError if the data is damaged or exceeds the budget."""
    try:
        with gzip.open(io.BytesIO(content)) as stream:
            # One byte more than is left shows `spend` that the data exceeds the budget.
            unpacked = stream.read(budget.left_bytes + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ModelImportError(f"the gzip data is damaged: {error}") from error
    budget.spend(len(unpacked))
    return unpacked


def _path_of(entry: tarfile.TarInfo) -> str:
    path = PurePosixPath(entry.name)
    shown = repr(entry.name[:200])
    if path.is_absolute() or ".." in path.parts:
        raise ModelImportError(f"the archive has the path {shown}, which leads out of it", code=Code.UNSAFE_ARCHIVE)
    if not entry.isreg() or entry.issparse():
        raise ModelImportError(
            f"the archive's {shown} is a link, a device or a sparse file; only files are read",
            code=Code.UNSAFE_ARCHIVE,
        )
    return str(path)


def _content_of(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(entry)
    content = stream.read() if stream is not None else b""
    if len(content) != entry.size:
        raise ModelImportError(f"the archive's {entry.name[:200]!r} is truncated: the archive is damaged")
    return content


def load(content: bytes) -> tuple[Manifest, bytes]:
    """Return manifest and model of an artifact.

    Raises ModelImportError if it is not an artifact, or if the model does not match the manifest's sha256.
    """
    return load_members(members(content))


def load_members(files: dict[str, bytes]) -> tuple[Manifest, bytes]:
    """Return the same of an artifact's files, from `members`. Raises ModelImportError."""
    if MANIFEST not in files:
        raise ModelImportError(
            f"it has no {MANIFEST}, so it is not an artifact. Make one with dropscore model import",
            code=Code.NOT_A_MODEL,
        )
    if len(files[MANIFEST]) > MANIFEST_LIMIT_BYTES:
        raise ModelImportError(f"{MANIFEST} is over {MANIFEST_LIMIT_BYTES} bytes", code=Code.WRONG_MANIFEST)
    manifest = Manifest.from_json(files[MANIFEST])
    model = files.get(manifest.model)
    if model is None or digest(model) != manifest.sha256:
        raise ModelImportError(
            f"{str(manifest.model)[:200]} does not match its manifest: the artifact is damaged; import it again",
            code=Code.WRONG_MANIFEST,
        )
    return manifest, model


def unpack(artifact: Path, directory: Path) -> None:
    """Write the artifact's files into `directory`, as SageMaker does under /opt/ml/model. Raises ModelImportError."""
    for name, content in members(artifact.read_bytes()).items():
        target = directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
