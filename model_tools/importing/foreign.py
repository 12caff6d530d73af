"""Find the XGBoost model in a file: a model file, a pickle, a joblib, an RDS, or a tar of one."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model_tools.artifact import MANIFEST, Manifest, load_members, members
from model_tools.errors import Code, ModelImportError
from model_tools.importing.inert import BOOSTER, SCALAR, WRAPPERS, Thing
from model_tools.importing.rds import raw_vectors
from model_tools.importing.recognize import FileFormat, needs_legacy, recognize, unwrap
from model_tools.importing.unpickle import read
from model_tools.sandbox.budget import Budget

SUPPORTED = (
    ".json, .ubj, XGBoost's binary format, a pickle or joblib of a Booster or an XGB… estimator, an RDS of an "
    "xgb.Booster, or a tar of one"
)
COUNT_LIMIT = 1 << 31
_SCALARS = {
    **dict(zip(("f2", "f4", "f8", "b1"), "efd?", strict=True)),
    **dict(zip(("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"), "bhiqBHIQ", strict=True)),
}
_WRAPPINGS = (FileFormat.PICKLE, FileFormat.TAR, FileFormat.RDS)


@dataclass(frozen=True, kw_only=True)
class Found:
    """`file_format` says how to load `content`; the other fields come from the pickle around it, or from the user.

    `stated` is the manifest beside the model, if the file is an artifact.
    """

    content: bytes
    file_format: FileFormat
    format: str
    best_iteration: int | None = None
    best_ntree_limit: int | None = None
    missing: float | None = None
    feature_names: tuple[str, ...] = ()
    trees_a_round: int | None = None
    stated: Manifest | None = None


def find(content: bytes, budget: Budget | None = None) -> Found:
    """Return the model, not loaded. Raises ModelImportError."""
    budget = budget or Budget(len(content))
    plain = unwrap(content, budget)
    file_format = recognize(plain)
    if file_format is FileFormat.TAR:
        return _find_in_tar(plain, budget)
    if file_format is None:
        raise ModelImportError(
            f"the file is not an XGBoost model in a supported format. Supported: {SUPPORTED}", code=Code.NOT_A_MODEL
        )
    return _find(plain, file_format, budget)


def _find(plain: bytes, file_format: FileFormat, budget: Budget) -> Found:
    if file_format is FileFormat.TAR:
        raise ModelImportError("the tar contains a tar: extract the inner one and import it", code=Code.UNSUPPORTED)
    if file_format is FileFormat.PICKLE:
        return _from_pickle(plain, budget)
    if file_format is FileFormat.RDS:
        return _from_rds(plain, budget)
    return Found(content=plain, file_format=file_format, format=file_format.value)


def _from_rds(content: bytes, budget: Budget) -> Found:
    """Take the first vector that is a model; an xgb.Booster has only R objects after it."""
    for vector in raw_vectors(content, budget):
        file_format = recognize(vector)
        if file_format is not None and file_format not in _WRAPPINGS:
            return Found(content=vector, file_format=file_format, format=f"RDS of R around {file_format}")
    raise ModelImportError(
        "the RDS file contains no model bytes. In R: xgb.save(model, 'model.ubj')", code=Code.NOT_A_MODEL
    )


def _find_in_tar(plain: bytes, budget: Budget) -> Found:
    files = members(plain, budget)
    if MANIFEST in files:
        return _find_served(files)
    models = {name: unwrap(content, budget) for name, content in files.items() if not _is_ignored(name)}
    formats = {name: file_format for name, content in models.items() if (file_format := recognize(content))}
    if len(formats) != 1:
        among = ", ".join(sorted(formats or models)) or "no files"
        raise ModelImportError(
            f"the archive must contain one XGBoost model, but has {len(formats)} (of {among[:300]}). "
            f"Supported: {SUPPORTED}",
            code=Code.NOT_A_MODEL,
        )
    name, file_format = formats.popitem()
    return _find(models[name], file_format, budget)


def _find_served(files: Mapping[str, bytes]) -> Found:
    """Read an artifact. Its model is as untrusted as any other, and its manifest must be checked against the model."""
    stated, model = load_members(dict(files))
    file_format = recognize(model)
    if file_format not in {FileFormat.JSON_MODEL, FileFormat.UBJ_MODEL} or needs_legacy(file_format, model):
        raise ModelImportError(
            f"the archive has a {MANIFEST}, but its model was not written by a current XGBoost. "
            "Import the model without the manifest",
            code=Code.WRONG_MANIFEST,
        )
    return Found(
        content=model, file_format=file_format, format=stated.source.format, missing=stated.missing, stated=stated
    )


def _is_ignored(path: str) -> bool:
    """Ignore `._name` files, which macOS adds, and inference code, which SageMaker's archives may have."""
    name = path.rpartition("/")[2]
    return name.startswith("._") or name.endswith((".py", ".txt"))


def _from_pickle(content: bytes, budget: Budget) -> Found:
    thing = read(content, budget)
    protocol = content[1] if content[:1] == b"\x80" else 0
    wrapper = _state(thing) if thing.type in WRAPPERS else {}
    booster = wrapper.get("_Booster") if wrapper else thing
    if not isinstance(booster, Thing) or booster.type != BOOSTER:
        raise ModelImportError(
            f"the pickle has a {thing.type} without a booster: fit the model, then pickle it", code=Code.NOT_A_MODEL
        )
    state = _state(booster)
    handle = state.get("handle")
    file_format = recognize(bytes(handle)) if isinstance(handle, bytes | bytearray) else None
    if not isinstance(handle, bytes | bytearray) or file_format is None or file_format in _WRAPPINGS:
        raise ModelImportError(f"the pickle of {thing.type} has no model bytes in an XGBoost format")
    return Found(
        content=bytes(handle),
        file_format=file_format,
        format=f"pickle of {thing.type} (protocol {protocol}) around {file_format}",
        best_iteration=_whole(state, wrapper, "best_iteration"),
        best_ntree_limit=_whole(state, wrapper, "best_ntree_limit"),
        missing=_missing(wrapper.get("missing")),
        feature_names=_names(state.get("feature_names")),
    )


def _state(thing: Thing) -> Mapping[str, Any]:
    if not isinstance(thing.state, dict):
        raise ModelImportError(f"the pickle of {thing.type} has no state: it is damaged, or was never fitted")
    return thing.state


def _whole(state: Mapping[str, Any], wrapper: Mapping[str, Any], name: str) -> int | None:
    value = _number(state.get(name, wrapper.get(name)))
    if value is None:
        return None
    # Negated, so that NaN is refused too.
    if not abs(value) < COUNT_LIMIT:
        raise ModelImportError(f"the pickle's {name} is not a count of rounds or trees")
    return int(value)


def _missing(value: Any) -> float | None:
    number = _number(value)
    return None if number is None or math.isnan(number) else float(number)


def _number(value: Any) -> float | int | None:
    """Return a Python number, also from an inert numpy scalar. Raises ModelImportError."""
    if isinstance(value, Thing) and value.type == SCALAR:
        return _scalar(*value.arguments)
    if value is None or isinstance(value, int | float):
        return value
    raise ModelImportError(f"the pickle has a {type(value).__name__} instead of a number")


def _scalar(dtype: Any, content: Any) -> float | int:
    raw = content.encode("latin1") if isinstance(content, str) else content
    # Little-endian only, which is how the bytes are unpacked below.
    form = _SCALARS.get(dtype.arguments[0].lstrip("<=|")) if isinstance(dtype, Thing) and dtype.arguments else None
    if form is None or not isinstance(raw, bytes):
        raise ModelImportError("the pickle has an array or a text instead of a number")
    (value,) = struct.unpack(f"<{form}", raw)
    return float(value) if isinstance(value, float) else int(value)


def _names(value: Any) -> tuple[str, ...]:
    return tuple(value) if isinstance(value, list) and all(isinstance(name, str) for name in value) else ()
