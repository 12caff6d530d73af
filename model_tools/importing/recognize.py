"""Recognize a file's format by its content, never by its name."""

from __future__ import annotations

import bz2
import lzma
import re
import struct
import tarfile
import zlib
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Protocol

from model_tools.artifact import gunzip
from model_tools.errors import OTHER_LIBRARIES, Code, ModelImportError
from model_tools.importing.rds import MAGIC
from model_tools.sandbox.budget import MIB, Budget

LAYERS_LIMIT = 2  # a compressed joblib file in a compressed file
DICTIONARY_LIMIT_BYTES = 100 * MIB  # `xz -9` needs 65 MiB; the format allows 4 GiB
LEGACY_HEADER_BYTES = 136  # struct LearnerModelParam, before the length of the objective's name
_LEGACY_BOOSTERS = {b"gbtree", b"gblinear", b"dart"}
_JSON_OBJECT = re.compile(rb'\s*\{\s*"(learner|version|Config|Model)"')
_JSON_VERSION = re.compile(rb'"version"\s*:\s*\[\s*(\d+)\s*,\s*(\d+)\s*,\s*\d+\s*\]')
_UBJ_OBJECT = re.compile(rb"\{L\x00{7}.(learner|version|Config|Model)", re.DOTALL)
_UBJ_VERSION = re.compile(rb"version\[#L\x00{7}\x03i(.)i(.)i.", re.DOTALL)
_UNSUPPORTED = {
    b"\x04\x22\x4d\x18": "compressed by lz4. Dump it again with joblib.dump(model, path, compress='zlib')",
    b"ZF": "from joblib before 0.10. Load it there and save the booster with save_model()",
    b"PK\x03\x04": "a zip archive. Extract the model file and import it",
    b"tree\nversion=": f"a LightGBM model. {OTHER_LIBRARIES}",
    b"CBM1": f"a CatBoost model. {OTHER_LIBRARIES}",
    b"RDX": "an R workspace. In R: xgb.save(model, 'model.ubj')",
    b"A\n": "an RDS file as text. In R: xgb.save(model, 'model.ubj')",
    b"\x89HDF": "an HDF5 file. Import a .json, .ubj, pickle or joblib, or a tar of one",
}


class FileFormat(StrEnum):
    """`MODEL` is what `save_model` writes; `SNAPSHOT` is what a pickle contains: the model and its configuration."""

    JSON_MODEL = "XGBoost JSON"
    UBJ_MODEL = "XGBoost UBJSON"
    BINARY_MODEL = "XGBoost binary"
    JSON_SNAPSHOT = "XGBoost serialized as JSON"
    UBJ_SNAPSHOT = "XGBoost serialized as UBJSON"
    BINARY_SNAPSHOT = "XGBoost serialized as binary (early 1.x)"
    PICKLE = "pickle"
    RDS = "RDS of R"
    TAR = "tar"

    @property
    def is_snapshot(self) -> bool:
        return self in {FileFormat.JSON_SNAPSHOT, FileFormat.UBJ_SNAPSHOT, FileFormat.BINARY_SNAPSHOT}


def unwrap(content: bytes, budget: Budget) -> bytes:
    """Remove the layers of compression that `joblib.dump(…, compress=…)`, gzip and tar add.

    Raises ModelImportError if the data is damaged, too large, or has too many layers.
    """
    for _ in range(LAYERS_LIMIT):
        opener = _opener(content)
        if opener is None:
            break
        content = opener(content, budget)
    if _opener(content) is not None:
        raise ModelImportError(
            f"the file is compressed more than {LAYERS_LIMIT} times; unpack it yourself", code=Code.UNSUPPORTED
        )
    return content


def _opener(content: bytes) -> _Opener | None:
    return next((opener for magic, opener in _OPENERS.items() if content.startswith(magic)), None)


def recognize(content: bytes) -> FileFormat | None:
    """Return the format of an unwrapped file; None if unknown. Raises ModelImportError for a known, unsupported one."""
    for magic, what in _UNSUPPORTED.items():
        if content.startswith(magic):
            raise ModelImportError(f"the file is {what}", code=Code.UNSUPPORTED)
    return next((file_format for file_format, matches in _CHECKS.items() if matches(content)), None)


def needs_legacy(file_format: FileFormat, content: bytes) -> bool:
    """Return whether a release before 3.1 wrote it; the last such release reads these files best."""
    return written_by(file_format, content) < (3, 1)


def written_by(file_format: FileFormat, content: bytes) -> tuple[int, int]:
    """Return major and minor version of the release that wrote it; (0, 0) before 1.0, whose files have no version."""
    if file_format in {FileFormat.BINARY_MODEL, FileFormat.BINARY_SNAPSHOT}:
        model = content[22:] if file_format is FileFormat.BINARY_SNAPSHOT else content  # after its magic and its length
        major, minor = struct.unpack_from("<II", model.removeprefix(b"binf").ljust(28, b"\0"), 20)
        return int(major), int(minor)
    is_ubj = file_format in {FileFormat.UBJ_MODEL, FileFormat.UBJ_SNAPSHOT}
    found = (_UBJ_VERSION if is_ubj else _JSON_VERSION).findall(content)
    versions = [(major[0], minor[0]) if is_ubj else (int(major), int(minor)) for major, minor in found]
    return versions[-1] if versions else (0, 0)


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _inflate(start: Callable[[], _Decompressor], content: bytes, budget: Budget) -> bytes:
    decompressor = start()
    try:
        # One byte more than is left shows `spend` that the data exceeds the budget.
        unpacked = decompressor.decompress(content, budget.left_bytes + 1)
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
        raise ModelImportError(f"the compressed data is damaged: {error}") from error
    budget.spend(len(unpacked))
    if not decompressor.eof:
        raise ModelImportError("the compressed data is damaged: it is truncated")
    return unpacked


_lzma = partial(_inflate, partial(lzma.LZMADecompressor, memlimit=DICTIONARY_LIMIT_BYTES))
_Opener = Callable[[bytes, Budget], bytes]
_OPENERS: dict[bytes, _Opener] = {
    b"\x1f\x8b": gunzip,
    b"BZh": partial(_inflate, bz2.BZ2Decompressor),
    b"\xfd7zXZ": _lzma,
    b"\x5d\x00\x00": _lzma,
    **{b"\x78" + level: partial(_inflate, zlib.decompressobj) for level in (b"\x01", b"\x5e", b"\x9c", b"\xda")},
}


def _is_tar(content: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(content[:512], "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError, OverflowError):
        return False
    return True


def _is_legacy_binary(content: bytes) -> bool:
    at = LEGACY_HEADER_BYTES + 4 * content.startswith(b"binf")
    for _ in ("objective", "booster"):
        (length,) = struct.unpack_from("<Q", content.ljust(at + 8, b"\xff"), at)
        name = content[at + 8 : at + 8 + min(length, 64)]
        at += 8 + len(name)
        if len(name) != length or not name.isascii():
            return False
    return name in _LEGACY_BOOSTERS


def _starts_with(pattern: re.Pattern[bytes], *keys: bytes) -> Callable[[bytes], bool]:
    def starts(content: bytes) -> bool:
        found = pattern.match(content)
        return found is not None and found[1] in keys

    return starts


def _is_pickle(content: bytes) -> bool:
    has_protocol = content[:1] == b"\x80" and content[1:2] in {b"\x02", b"\x03", b"\x04", b"\x05"}
    return content.rstrip().endswith(b".") and (has_protocol or content[:1] in b"c(]}I")


# The first match decides. The test for a pickle is the weakest, so it comes last.
_CHECKS: dict[FileFormat, Callable[[bytes], bool]] = {
    FileFormat.TAR: _is_tar,
    FileFormat.BINARY_SNAPSHOT: lambda content: content.startswith(b"CONFIG-offset:"),
    FileFormat.BINARY_MODEL: _is_legacy_binary,
    FileFormat.UBJ_MODEL: _starts_with(_UBJ_OBJECT, b"learner", b"version"),
    FileFormat.UBJ_SNAPSHOT: _starts_with(_UBJ_OBJECT, b"Config", b"Model"),
    FileFormat.JSON_MODEL: _starts_with(_JSON_OBJECT, b"learner", b"version"),
    FileFormat.JSON_SNAPSHOT: _starts_with(_JSON_OBJECT, b"Config", b"Model"),
    FileFormat.RDS: lambda content: content.startswith(MAGIC),
    FileFormat.PICKLE: _is_pickle,
}
