"""What the names and objects of a pickle become: inert values; and the few calls that functions of our own answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

from model_tools.errors import OTHER_LIBRARIES, UnsafePickleError
from model_tools.sandbox.budget import SIZE_LIMIT_BYTES


class Name(NamedTuple):
    module: str
    name: str

    def __str__(self) -> str:
        """Escaped: the text comes from a stranger and goes to a terminal."""
        return f"{self.module}.{self.name}".encode("unicode_escape").decode()[:200]


@dataclass
class Thing:
    """What would have been an object: its class by name, what it would have been made from, and its state."""

    kind: Name
    made_of: tuple[Any, ...] = ()
    state: Any = None


BOOSTER = Name("xgboost.core", "Booster")
WRAPPERS = {
    *(Name("xgboost.sklearn", f"XGB{kind}") for kind in ("Model", "Classifier", "Regressor", "Ranker")),
    *(Name("xgboost.sklearn", f"XGBRF{kind}") for kind in ("Classifier", "Regressor")),
}
JOBLIB_ARRAY = Name("joblib.numpy_pickle", "NumpyArrayWrapper")
NDARRAY = Name("numpy", "ndarray")
DTYPE = Name("numpy", "dtype")
SCALAR = Name("numpy", "scalar")
# State of a wrapper that says nothing about prediction; kept inert.
BYSTANDERS = {
    Name("xgboost.compat", "XGBoostLabelEncoder"),
    Name("sklearn.preprocessing.label", "LabelEncoder"),
    Name("sklearn.preprocessing._label", "LabelEncoder"),
    Name("xgboost.callback", "EarlyStopping"),
}
ARGUMENTS_LIMIT = 8
DIMENSIONS_LIMIT = 32
_LIBRARIES = {"lightgbm", "catboost", "sklearn"}
CLASSES = {BOOSTER, *WRAPPERS, JOBLIB_ARRAY, NDARRAY, *BYSTANDERS}
_PLAIN_DTYPE = re.compile(r"[<>|=]?[biufSU]([1-9]\d{0,4})")


def refused(what: object) -> UnsafePickleError:
    text = str(what) if isinstance(what, Name) else f"a call of a {type(what).__name__}"
    advice = "If you trust it, load it where it was made and save the booster with save_model('model.ubj')"
    if isinstance(what, Name) and what.module.partition(".")[0] in _LIBRARIES:
        advice = f"{advice}. {OTHER_LIBRARIES}"
    return UnsafePickleError(
        f"{text} is not part of a model: the pickle was refused and nothing of it was run. {advice}"
    )


def _object(kind: Name, *_: object) -> Thing:
    if not isinstance(kind, Name) or kind not in CLASSES:  # to hash anything but a Name can take for ever
        raise refused(kind)
    return Thing(kind)


def _encode(text: str, encoding: str = "latin1") -> bytes:
    if encoding.lower().replace("-", "") not in {"latin1", "iso88591"}:
        raise UnsafePickleError("_codecs.encode to anything but latin1 is not part of a model")
    return text.encode("latin1")


def _bytearray(content: str | bytes = b"", encoding: str = "latin1") -> bytearray:
    if not isinstance(content, str | bytes | bytearray):
        raise UnsafePickleError(f"bytearray of a {type(content).__name__} is not part of a model")
    return bytearray(_encode(content, encoding) if isinstance(content, str) else content)


def _ordered(*_: object) -> dict[str, Any]:
    """Empty: a booster keeps nothing in one that matters, and copying its items is how a small file fills memory."""
    return {}


def _bytes() -> bytes:
    return b""


def _dtype(name: str, *_: object) -> Thing:
    if not isinstance(name, str) or len(name) > 8 or not _PLAIN_DTYPE.fullmatch(name):
        raise UnsafePickleError("numpy.dtype of Python objects is not part of a model: only numbers and text are")
    return Thing(DTYPE, (name,))


def array_bytes(shape: Any, dtype: Any) -> int:
    """How many bytes an array of joblib takes in the file."""
    if not isinstance(dtype, Thing) or dtype.kind != DTYPE or not isinstance(shape, tuple | list):
        raise UnsafePickleError("an array without shape and dtype is not part of a model")
    if len(shape) > DIMENSIONS_LIMIT or not all(type(size) is int and 0 <= size <= SIZE_LIMIT_BYTES for size in shape):
        raise UnsafePickleError("an array of that shape is not part of a model")
    return prod(shape) * _item_bytes(dtype)


def _item_bytes(dtype: Thing) -> int:
    kind = _PLAIN_DTYPE.fullmatch(dtype.made_of[0])
    if kind is None:
        raise ValueError("an array without a dtype")
    return int(kind[1]) * (4 if "U" in kind[0] else 1)


def _scalar(dtype: Thing, content: bytes) -> Thing:
    return Thing(SCALAR, (dtype, content))


def _array(*made_of: object) -> Thing:
    return Thing(NDARRAY, made_of)


CALLS: dict[Name, Callable[..., Any]] = {
    Name("copyreg", "_reconstructor"): _object,
    Name("builtins", "bytearray"): _bytearray,
    Name("builtins", "bytes"): _bytes,
    Name("_codecs", "encode"): _encode,
    Name("collections", "OrderedDict"): _ordered,
    DTYPE: _dtype,
    Name("numpy.core.multiarray", "_reconstruct"): _array,
    Name("numpy.core.multiarray", "scalar"): _scalar,
    Name("numpy.core.numeric", "_frombuffer"): _array,
}
