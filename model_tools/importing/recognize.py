"""What a file is, told by its content and never by its name."""

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

LAYERS_LIMIT = 2  # a joblib file, compressed, in a compressed file
DICTIONARY_LIMIT_BYTES = 100 * MIB  # `xz -9` needs 65 MiB; the format allows 4 GiB
LEGACY_HEADER_BYTES = 136  # struct LearnerModelParam, before the length of the objective's name
_LEGACY_BOOSTERS = {b"gbtree", b"gblinear", b"dart"}
_JSON_OBJECT = re.compile(rb'\s*\{\s*"(learner|version|Config|Model)"')
_JSON_VERSION = re.compile(rb'"version"\s*:\s*\[\s*(\d+)\s*,\s*(\d+)\s*,\s*\d+\s*\]')
_UBJ_OBJECT = re.compile(rb"\{L\x00{7}.(learner|version|Config|Model)", re.DOTALL)
_UBJ_VERSION = re.compile(rb"version\[#L\x00{7}\x03i(.)i(.)i.", re.DOTALL)
_REFUSED_PACKINGS = {
    b"\x04\x22\x4d\x18": "compressed by lz4. Dump it again with joblib.dump(model, path, compress='zlib')",
    b"ZF": "of joblib before 0.10. Load it there and save the booster with save_model()",
    b"PK\x03\x04": "a zip archive. Take the model file out of it",
    b"tree\nversion=": f"a LightGBM model. {OTHER_LIBRARIES}",
    b"CBM1": f"a CatBoost model. {OTHER_LIBRARIES}",
    b"RDX": "an R workspace. In R: xgb.save(model, 'model.ubj')",
    b"A\n": "an RDS file as text. In R: xgb.save(model, 'model.ubj')",
    b"\x89HDF": "an HDF5 file. XGBoost models come as .json, .ubj, pickle, joblib or tar of one of these",
}


class Kind(StrEnum):
    """`MODEL` is what `save_model` writes; `SNAPSHOT` is what a pickle holds: the model and its configuration."""

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
        return self in {Kind.JSON_SNAPSHOT, Kind.UBJ_SNAPSHOT, Kind.BINARY_SNAPSHOT}


def unwrap(content: bytes, budget: Budget) -> bytes:
    """Take off the layers of compression that `joblib.dump(…, compress=…)`, gzip and tar add."""
    for _ in range(LAYERS_LIMIT):
        opener = _opener(content)
        if opener is None:
            break
        content = opener(content, budget)
    if _opener(content) is not None:
        raise ModelImportError(
            f"the file is compressed more than {LAYERS_LIMIT} times over; unpack it yourself", code=Code.UNSUPPORTED
        )
    return content


def _opener(content: bytes) -> _Opener | None:
    return next((opener for magic, opener in _OPENERS.items() if content.startswith(magic)), None)


def recognize(content: bytes) -> Kind | None:
    """The kind of an unwrapped file; None when it is nothing a model comes in. Raises for what we know but refuse."""
    for magic, what in _REFUSED_PACKINGS.items():
        if content.startswith(magic):
            raise ModelImportError(f"the file is {what}", code=Code.UNSUPPORTED)
    return next((kind for kind, is_it in _CHECKS.items() if is_it(content)), None)


def needs_legacy(kind: Kind, content: bytes) -> bool:
    """True for what a release before 3.1 wrote, which the last such release reads most faithfully."""
    return written_by(kind, content) < (3, 1)


def written_by(kind: Kind, content: bytes) -> tuple[int, int]:
    """Major and minor version of the release that wrote it; (0, 0) before 1.0, which did not say."""
    if kind in {Kind.BINARY_MODEL, Kind.BINARY_SNAPSHOT}:
        model = content[22:] if kind is Kind.BINARY_SNAPSHOT else content  # after its magic and its length
        major, minor = struct.unpack_from("<II", model.removeprefix(b"binf").ljust(28, b"\0"), 20)
        return int(major), int(minor)
    is_ubj = kind in {Kind.UBJ_MODEL, Kind.UBJ_SNAPSHOT}
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
        unpacked = decompressor.decompress(content, budget.left_bytes + 1)
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
        raise ModelImportError(f"the compressed data is damaged: {error}") from error
    budget.spend(len(unpacked))
    if not decompressor.eof:
        raise ModelImportError("the compressed data is damaged: it ends too early")
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


_CHECKS: dict[Kind, Callable[[bytes], bool]] = {
    Kind.TAR: _is_tar,
    Kind.BINARY_SNAPSHOT: lambda content: content.startswith(b"CONFIG-offset:"),
    Kind.BINARY_MODEL: _is_legacy_binary,
    Kind.UBJ_MODEL: _starts_with(_UBJ_OBJECT, b"learner", b"version"),
    Kind.UBJ_SNAPSHOT: _starts_with(_UBJ_OBJECT, b"Config", b"Model"),
    Kind.JSON_MODEL: _starts_with(_JSON_OBJECT, b"learner", b"version"),
    Kind.JSON_SNAPSHOT: _starts_with(_JSON_OBJECT, b"Config", b"Model"),
    Kind.RDS: lambda content: content.startswith(MAGIC),
    Kind.PICKLE: _is_pickle,
}
