"""Reads a model artifact (`model.tar.gz`): the digest that names its version, and its features."""

from __future__ import annotations

import hashlib
import json
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from stacks.settings.problems import SettingsError

DEMO = "build/demo/model.tar.gz"
MANIFEST = "manifest.json"
MANIFEST_LIMIT_BYTES = 32 << 20
IMPORT = "`dropscore model import YOUR_MODEL -o {}`"
GENERATED = ("", "f", "Column_", "column_", "Unnamed: ")
"""Prefixes of the column names that pandas, XGBoost and LightGBM generate."""
FIX = "`dropscore model import YOUR_MODEL -o model.tar.gz` makes one that can be served"


@dataclass(frozen=True, slots=True)
class Artifact:
    path: Path
    version: str
    """The first 12 hex digits of a SHA-256: of the model file, or of the archive if only its container can read it."""
    digest: str
    """The SHA-256 of the archive, 64 hex digits."""
    features: int | None
    """The number of columns that the model needs; None if the manifest does not contain it."""
    model_sha256: str | None
    """The SHA-256 of the unpacked model file; None if the archive holds more than one file."""
    feature_names: tuple[str, ...] = ()
    """In the model's order; empty if they are unknown or only number the columns."""


def read_artifact(path: Path, key: str) -> Artifact:
    """Read our container's artifact at `path`; `key` is the setting that names it. Raises SettingsError."""
    _check_exists(path, key, "`make setup`" if path.as_posix().endswith(DEMO) else IMPORT.format(path))
    try:
        with tarfile.open(path, "r:gz") as archive:
            return _read(path, archive)
    except tarfile.ReadError:
        raise SettingsError(f"{key}: {path} is not a .tar.gz archive; {FIX}") from None
    except (tarfile.TarError, ValueError, OSError, EOFError, zlib.error) as error:
        raise SettingsError(f"{key}: {path} cannot be served: {error}; {FIX}") from None


def read_archive(path: Path, key: str) -> Artifact:
    """Read the artifact of your own container, whose content is not checked. Raises SettingsError."""
    _check_exists(path, key, "`tar -czf`")
    try:
        with tarfile.open(path, "r:gz") as archive:
            digest = _digest(path)
            return Artifact(path, digest[:12], digest, None, _only_file(archive))
    except (tarfile.TarError, OSError, EOFError, zlib.error):
        fix = "SageMaker unpacks a .tar.gz for the container; `tar -czf` makes one"
        raise SettingsError(f"{key}: {path} is not a .tar.gz archive; {fix}") from None


def _digest(path: Path) -> str:
    with path.open("rb") as content:
        return _sha256(content)


def _sha256(content: IO[bytes]) -> str:
    return hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]


def _only_file(archive: tarfile.TarFile) -> str | None:
    """The SHA-256 of the archive's only file; None if there are several, as only the container knows the model."""
    files = [member for member in archive.getmembers() if member.isfile()]
    return _sha256(_open(archive, files[0])) if len(files) == 1 else None


def _check_exists(path: Path, key: str, command: str) -> None:
    if not path.is_file():
        raise SettingsError(f"{key}: {path} does not exist; {command} makes it")


def _read(path: Path, archive: tarfile.TarFile) -> Artifact:
    files = {member.name.removeprefix("./"): member for member in archive.getmembers() if member.isfile()}
    # A manifest over the limit is cut, and then refused as JSON.
    manifest = _manifest(_open(archive, files[MANIFEST]).read(MANIFEST_LIMIT_BYTES)) if MANIFEST in files else {}
    model = manifest["model"] if manifest else _only_model(files)
    if model not in files:
        raise ValueError(f"its manifest names {model!r}, which is not in it")
    digest = _sha256(_open(archive, files[model]))
    if manifest and manifest["sha256"] != digest:
        raise ValueError(f"{model} is not the file that its manifest describes (SHA-256 {digest[:12]}…)")
    return Artifact(path, digest[:12], _digest(path), manifest.get("features"), digest, _feature_names(manifest))


def _manifest(content: bytes) -> dict[str, Any]:
    """Parse the manifest, which must name the model file and its digest. Raises ValueError."""
    try:
        manifest = json.loads(content)
    except RecursionError:
        raise ValueError("its manifest is nested too deeply") from None
    if not isinstance(manifest, dict):
        raise ValueError("its manifest is not a JSON object")  # noqa: TRY004 - callers catch ValueError
    for key in ("model", "sha256"):
        if key not in manifest:
            raise ValueError(f"its manifest lacks {key!r}")
        if not isinstance(manifest[key], str):
            raise ValueError(f"its manifest's {key} is not a string")  # noqa: TRY004
    features = manifest.get("features")
    # `type`, because `isinstance` would take `true` for an int.
    if features is not None and (type(features) is not int or features < 1):
        raise ValueError("its manifest's features is not a positive number of columns")
    return manifest


def _feature_names(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names; empty if the manifest, such as one of an old version, has none. Raises ValueError."""
    names = manifest.get("feature_names")
    if names is None:
        return ()
    if not isinstance(names, list) or not all(isinstance(name, str) and name.strip() for name in names):
        raise ValueError("its manifest's feature_names is not a list of names")
    if len({name.strip() for name in names}) < len(names):
        raise ValueError("its manifest's feature_names contains a name twice; remove them, or make the names unique")
    if len(names) != manifest.get("features"):
        raise ValueError(f"its manifest has {len(names)} feature_names and {manifest.get('features')} features")
    return () if _only_number(names) else tuple(names)


def _only_number(names: Sequence[str]) -> bool:
    return any(
        list(names) == [f"{prefix}{number}" for number in range(first, first + len(names))]
        for prefix in GENERATED
        for first in (0, 1)
    )


def _only_model(files: dict[str, tarfile.TarInfo]) -> str:
    models = [name for name in files if name.endswith((".json", ".ubj"))]
    if len(models) != 1:
        raise ValueError(f"it holds {len(models)} .json or .ubj models instead of one")
    return models[0]


def _open(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    opened = archive.extractfile(member)
    if opened is None:
        raise ValueError(f"{member.name} is not a file")
    return opened
