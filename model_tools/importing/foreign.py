"""Finds the one XGBoost model in whatever people have: a model file, a pickle, a joblib, or a tar around one."""

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
from model_tools.importing.recognize import Kind, needs_legacy, recognize, unwrap
from model_tools.importing.unpickle import read
from model_tools.sandbox.budget import Budget

KNOWN = (
    ".json, .ubj, XGBoost's binary format, a pickle or joblib of a Booster or an XGB… estimator, an RDS of an "
    "xgb.Booster, or a tar of one"
)
COUNT_LIMIT = 1 << 31
_SCALARS = {
    **dict(zip(("f2", "f4", "f8", "b1"), "efd?", strict=True)),
    **dict(zip(("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"), "bhiqBHIQ", strict=True)),
}
_WRAPPINGS = (Kind.PICKLE, Kind.TAR, Kind.RDS)


@dataclass(frozen=True, kw_only=True)
class Found:
    """`kind` says how to load `content`; the rest is what only the pickle around it, or the user, knew.

    `stated` is the manifest around the model, where the file is an artifact that import, or training, made.
    """

    content: bytes
    kind: Kind
    format: str
    best_iteration: int | None = None
    best_ntree_limit: int | None = None
    missing: float | None = None
    feature_names: tuple[str, ...] = ()
    trees_a_round: int | None = None
    stated: Manifest | None = None


def find(content: bytes, budget: Budget | None = None) -> Found:
    budget = budget or Budget(len(content))
    plain = unwrap(content, budget)
    kind = recognize(plain)
    if kind is Kind.TAR:
        return _find_in_tar(plain, budget)
    if kind is None:
        raise ModelImportError(
            f"the file holds no XGBoost model that is known here. Known are {KNOWN}", code=Code.NOT_A_MODEL
        )
    return _find(plain, kind, budget)


def _find(plain: bytes, kind: Kind, budget: Budget) -> Found:
    if kind is Kind.TAR:
        raise ModelImportError("a tar inside of a tar: take the inner one out and import it", code=Code.UNSUPPORTED)
    if kind is Kind.PICKLE:
        return _from_pickle(plain, budget)
    if kind is Kind.RDS:
        return _from_rds(plain, budget)
    return Found(content=plain, kind=kind, format=kind.value)


def _from_rds(content: bytes, budget: Budget) -> Found:
    """The first vector that is a model: what an xgb.Booster holds after it (callbacks, a call) is R's business."""
    for vector in raw_vectors(content, budget):
        kind = recognize(vector)
        if kind is not None and kind not in _WRAPPINGS:
            return Found(content=vector, kind=kind, format=f"RDS of R around {kind}")
    raise ModelImportError(
        "the RDS file holds no model bytes. In R: xgb.save(model, 'model.ubj')", code=Code.NOT_A_MODEL
    )


def _find_in_tar(plain: bytes, budget: Budget) -> Found:
    files = members(plain, budget)
    if MANIFEST in files:
        return _find_served(files)
    models = {name: unwrap(content, budget) for name, content in files.items() if not _is_bystander(name)}
    kinds = {name: kind for name, content in models.items() if (kind := recognize(content))}
    if len(kinds) != 1:
        among = ", ".join(sorted(kinds or models)) or "no files"
        raise ModelImportError(
            f"the archive must hold one XGBoost model, it holds {len(kinds)} (of {among[:300]}). {KNOWN}",
            code=Code.NOT_A_MODEL,
        )
    name, kind = kinds.popitem()
    return _find(models[name], kind, budget)


def _find_served(files: Mapping[str, bytes]) -> Found:
    """An artifact with a manifest: the model is as foreign as any, and the manifest is what has to be checked."""
    stated, model = load_members(dict(files))
    kind = recognize(model)
    if kind not in {Kind.JSON_MODEL, Kind.UBJ_MODEL} or needs_legacy(kind, model):
        raise ModelImportError(
            f"the archive's {MANIFEST} is of a model that today's XGBoost wrote, and its model is not one. "
            "Import that model without the manifest",
            code=Code.WRONG_MANIFEST,
        )
    return Found(content=model, kind=kind, format=stated.source.format, missing=stated.missing, stated=stated)


def _is_bystander(path: str) -> bool:
    """macOS adds `._name` beside each file; SageMaker's archives may carry inference code."""
    name = path.rpartition("/")[2]
    return name.startswith("._") or name.endswith((".py", ".txt"))


def _from_pickle(content: bytes, budget: Budget) -> Found:
    thing = read(content, budget)
    protocol = content[1] if content[:1] == b"\x80" else 0
    wrapper = _state(thing) if thing.kind in WRAPPERS else {}
    booster = wrapper.get("_Booster") if wrapper else thing
    if not isinstance(booster, Thing) or booster.kind != BOOSTER:
        raise ModelImportError(
            f"the pickle holds a {thing.kind} without a booster: fit the model, then pickle it", code=Code.NOT_A_MODEL
        )
    state = _state(booster)
    handle = state.get("handle")
    kind = recognize(bytes(handle)) if isinstance(handle, bytes | bytearray) else None
    if not isinstance(handle, bytes | bytearray) or kind is None or kind in _WRAPPINGS:
        raise ModelImportError(f"the pickle of {thing.kind} holds no model bytes that XGBoost ever wrote")
    return Found(
        content=bytes(handle),
        kind=kind,
        format=f"pickle of {thing.kind} (protocol {protocol}) around {kind}",
        best_iteration=_whole(state, wrapper, "best_iteration"),
        best_ntree_limit=_whole(state, wrapper, "best_ntree_limit"),
        missing=_missing(wrapper.get("missing")),
        feature_names=_names(state.get("feature_names")),
    )


def _state(thing: Thing) -> Mapping[str, Any]:
    if not isinstance(thing.state, dict):
        raise ModelImportError(f"the pickle of {thing.kind} carries no state: it is damaged, or was never fitted")
    return thing.state


def _whole(state: Mapping[str, Any], wrapper: Mapping[str, Any], name: str) -> int | None:
    value = _number(state.get(name, wrapper.get(name)))
    if value is None:
        return None
    if not abs(value) < COUNT_LIMIT:
        raise ModelImportError(f"the pickle's {name} is not a count of rounds or trees")
    return int(value)


def _missing(value: Any) -> float | None:
    number = _number(value)
    return None if number is None or math.isnan(number) else float(number)


def _number(value: Any) -> float | int | None:
    """A Python number, or a numpy scalar as the unpickler left it."""
    if isinstance(value, Thing) and value.kind == SCALAR:
        return _scalar(*value.made_of)
    if value is None or isinstance(value, int | float):
        return value
    raise ModelImportError(f"the pickle has a {type(value).__name__} where a number belongs")


def _scalar(dtype: Any, content: Any) -> float | int:
    raw = content.encode("latin1") if isinstance(content, str) else content
    form = _SCALARS.get(dtype.made_of[0].lstrip("<=|")) if isinstance(dtype, Thing) and dtype.made_of else None
    if form is None or not isinstance(raw, bytes):
        raise ModelImportError("the pickle has an array or a text where a number belongs")
    (value,) = struct.unpack(f"<{form}", raw)
    return float(value) if isinstance(value, float) else int(value)


def _names(value: Any) -> tuple[str, ...]:
    return tuple(value) if isinstance(value, list) and all(isinstance(name, str) for name in value) else ()
