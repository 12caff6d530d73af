"""Finds the one XGBoost model in whatever people have: a model file, a pickle, a joblib, or a tar around one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.artefact import members
from training.errors import ModelImportError
from training.inert import BOOSTER, SCALAR, WRAPPERS, Thing
from training.rds import raw_vectors
from training.recognise import Kind, recognise, unwrap
from training.unpickle import read

KNOWN = (
    ".json, .ubj, XGBoost's binary format, a pickle or joblib of a Booster or an XGB… estimator, an RDS of an "
    "xgb.Booster, or a tar of one"
)
_WRAPPINGS = (Kind.PICKLE, Kind.TAR, Kind.RDS)


@dataclass(frozen=True, kw_only=True)
class Found:
    """`kind` says how to load `content`; the rest is what only the pickle around it, or the user, knew."""

    content: bytes
    kind: Kind
    format: str
    best_iteration: int | None = None
    best_ntree_limit: int | None = None
    missing: float | None = None
    feature_names: tuple[str, ...] = ()
    trees_a_round: int | None = None


def find(content: bytes) -> Found:
    plain = unwrap(content)
    kind = recognise(plain)
    if kind is Kind.TAR:
        return _find_in_tar(plain)
    if kind is None:
        raise ModelImportError(f"the file holds no XGBoost model that is known here. Known are {KNOWN}")
    return _find(plain, kind)


def _find(plain: bytes, kind: Kind) -> Found:
    reader = {Kind.PICKLE: _from_pickle, Kind.RDS: _from_rds}.get(kind)
    return reader(plain) if reader else Found(content=plain, kind=kind, format=kind.value)


def _from_rds(content: bytes) -> Found:
    """The first vector that is a model: what an xgb.Booster holds after it (callbacks, a call) is R's business."""
    for vector in raw_vectors(content):
        kind = recognise(vector)
        if kind is not None and kind not in _WRAPPINGS:
            return Found(content=vector, kind=kind, format=f"RDS of R around {kind}")
    raise ModelImportError("the RDS file holds no model bytes. In R: xgb.save(model, 'model.ubj')")


def _find_in_tar(plain: bytes) -> Found:
    models = {name: unwrap(content) for name, content in members(plain).items() if not _is_bystander(name)}
    kinds = {name: kind for name, content in models.items() if (kind := recognise(content))}
    if len(kinds) != 1:
        among = ", ".join(sorted(kinds or models)) or "no files"
        raise ModelImportError(f"the archive must hold one XGBoost model, it holds {len(kinds)} (of {among}). {KNOWN}")
    name, kind = kinds.popitem()
    return _find(models[name], kind)


def _is_bystander(path: str) -> bool:
    """macOS adds `._name` beside each file; SageMaker's archives may carry inference code."""
    name = path.rpartition("/")[2]
    return name.startswith("._") or name.endswith((".py", ".txt"))


def _from_pickle(content: bytes) -> Found:
    thing = read(content)
    protocol = content[1] if content[:1] == b"\x80" else 0
    wrapper = _state(thing) if thing.kind in WRAPPERS else {}
    booster = wrapper.get("_Booster") if wrapper else thing
    if not isinstance(booster, Thing) or booster.kind != BOOSTER:
        raise ModelImportError(f"the pickle holds a {thing.kind} without a booster: fit the model, then pickle it")
    state = _state(booster)
    handle = state.get("handle")
    kind = recognise(bytes(handle)) if isinstance(handle, bytes | bytearray) else None
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
    return None if value is None else int(value)


def _missing(value: Any) -> float | None:
    number = _number(value)
    return None if number is None or math.isnan(number) else float(number)


def _number(value: Any) -> float | int | None:
    """A Python number, or a numpy scalar as the unpickler left it."""
    if isinstance(value, Thing) and value.kind == SCALAR:
        dtype, content = value.made_of
        raw = content.encode("latin1") if isinstance(content, str) else content
        value = np.frombuffer(raw, np.dtype(dtype.made_of[0])).item()
    if value is None or isinstance(value, int | float):
        return value
    raise ModelImportError(f"the pickle has a {type(value).__name__} where a number belongs")


def _names(value: Any) -> tuple[str, ...]:
    return tuple(value) if isinstance(value, list) and all(isinstance(name, str) for name in value) else ()
