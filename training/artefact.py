"""The served artefact: a `model.tar.gz` with one XGBoost model and the manifest that vouches for it.

The same model gives the same bytes every time, so a deployment changes only when the model does.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
import tempfile
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from training.errors import ModelImportError

MANIFEST = "manifest.json"
SIZE_LIMIT_BYTES = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a model came from: file name, sha256 of the file as given, and what it was recognised as."""

    name: str
    sha256: str
    format: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What the serving container needs to know, and what a reader wants to know, about `model`.

    `iterations` is the number of boosting rounds to predict with, 0 where rounds mean nothing (gblinear);
    `missing` is the number that stands for a missing value, None for an empty cell only; `categorical` are the columns,
    from 1, that hold codes of categories; `feature_names` are as the booster has them, None where it has none.
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
        try:
            fields = json.loads(text)
            changed = {"source": Source(**fields["source"]), "categorical": tuple(fields.get("categorical", ()))}
            names = fields.get("feature_names")
            return cls(**{**fields, **changed, "feature_names": None if names is None else tuple(names)})
        except (ValueError, TypeError, KeyError) as error:
            raise ModelImportError(f"{MANIFEST} is not a manifest of ours: {error}") from error

    def to_json(self) -> bytes:
        fields = {"format": self.format, **asdict(self)}
        if not self.categorical:
            del fields["categorical"]
        if self.feature_names is None:
            del fields["feature_names"]
        return json.dumps(fields, indent=2).encode() + b"\n"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def pack(destination: Path, manifest: Manifest, model: bytes) -> None:
    """Write the artefact under a temporary name and rename it, so that no half artefact is ever seen."""
    if digest(model) != manifest.sha256:
        raise ValueError("the manifest is of another model")
    archive = _tar({MANIFEST: manifest.to_json(), manifest.model: model})
    write_atomically(destination, gzip.compress(archive, compresslevel=6, mtime=0))


def write_atomically(destination: Path, content: bytes) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=destination.parent, prefix=f".{destination.name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
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


def members(content: bytes, *, limit_bytes: int = SIZE_LIMIT_BYTES) -> dict[str, bytes]:
    """The regular files of a tar, compressed by gzip or not, by their paths. Nothing touches the disk."""
    if content[:2] == b"\x1f\x8b":
        content = gunzip(content, limit_bytes)
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            return {_path_of(entry): _content_of(archive, entry) for entry in archive if not entry.isdir()}
    except tarfile.TarError as error:
        raise ModelImportError(f"the tar archive cannot be read: {error}") from error


def gunzip(content: bytes, limit_bytes: int = SIZE_LIMIT_BYTES) -> bytes:
    try:
        with gzip.open(io.BytesIO(content)) as stream:
            unpacked = stream.read(limit_bytes + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ModelImportError(f"the gzip data is damaged: {error}") from error
    if len(unpacked) > limit_bytes:
        raise ModelImportError(f"unpacked, the artefact is over the limit of {limit_bytes} bytes")
    return unpacked


def _path_of(entry: tarfile.TarInfo) -> str:
    path = PurePosixPath(entry.name)
    if path.is_absolute() or ".." in path.parts:
        raise ModelImportError(f"the archive holds the path {entry.name!r}, which leads out of it")
    if not entry.isreg() or entry.issparse():
        raise ModelImportError(
            f"the archive's {entry.name!r} is a link, a device or a sparse file; only files are read"
        )
    return str(path)


def _content_of(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(entry)
    if stream is None:
        raise ModelImportError(f"the archive's {entry.name!r} cannot be read")
    return stream.read()


def load(content: bytes) -> tuple[Manifest, bytes]:
    """Manifest and model of a served artefact; raises when it is none or when the digest is wrong."""
    files = members(content)
    if MANIFEST not in files:
        raise ModelImportError(f"no {MANIFEST} inside: not a served artefact. Make one: dropscore model import")
    manifest = Manifest.from_json(files[MANIFEST])
    model = files.get(manifest.model)
    if model is None or digest(model) != manifest.sha256:
        raise ModelImportError(
            f"{manifest.model} does not match its manifest: the artefact is damaged; import it again"
        )
    return manifest, model


def unpack(artefact: Path, directory: Path) -> None:
    """Write the artefact's files into `directory`, as SageMaker does under /opt/ml/model."""
    for name, content in members(artefact.read_bytes()).items():
        target = directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
