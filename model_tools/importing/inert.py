"""Inert values that replace the names and objects of a pickle, and our own functions for the few allowed calls."""

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
        """Escaped, because the text is untrusted and goes to a terminal."""
        return f"{self.module}.{self.name}".encode("unicode_escape").decode()[:200]


@dataclass
class Thing:
    """An object that was not created: the name of its class, its arguments, and its state."""

    type: Name
    arguments: tuple[Any, ...] = ()
    state: Any = None


BOOSTER = Name("xgboost.core", "Booster")
WRAPPERS = {
    *(Name("xgboost.sklearn", f"XGB{name}") for name in ("Model", "Classifier", "Regressor", "Ranker")),
    *(Name("xgboost.sklearn", f"XGBRF{name}") for name in ("Classifier", "Regressor")),
}
JOBLIB_ARRAY = Name("joblib.numpy_pickle", "NumpyArrayWrapper")
NDARRAY = Name("numpy", "ndarray")
DTYPE = Name("numpy", "dtype")
SCALAR = Name("numpy", "scalar")
# State of a wrapper that does not affect predictions; kept inert.
IGNORED = {
    Name("xgboost.compat", "XGBoostLabelEncoder"),
    Name("sklearn.preprocessing.label", "LabelEncoder"),
    Name("sklearn.preprocessing._label", "LabelEncoder"),
    Name("xgboost.callback", "EarlyStopping"),
}
ARGUMENTS_LIMIT = 8
DIMENSIONS_LIMIT = 32
_LIBRARIES = {"lightgbm", "catboost", "sklearn"}
CLASSES = {BOOSTER, *WRAPPERS, JOBLIB_ARRAY, NDARRAY, *IGNORED}
_PLAIN_DTYPE = re.compile(r"[<>|=]?[biufSU]([1-9]\d{0,4})")


def refused(what: object) -> UnsafePickleError:
    """Return the error for a name or call that no model needs."""
    text = str(what) if isinstance(what, Name) else f"a call of a {type(what).__name__}"
    advice = "If you trust it, load it where it was made, and save the booster with save_model('model.ubj')"
    if isinstance(what, Name) and what.module.partition(".")[0] in _LIBRARIES:
        advice = f"{advice}. {OTHER_LIBRARIES}"
    return UnsafePickleError(f"{text} is not part of a model: the pickle was refused, and none of it was run. {advice}")


def _object(name: Name, *_: object) -> Thing:
    if not isinstance(name, Name) or name not in CLASSES:  # hashing anything but a Name can take for ever
        raise refused(name)
    return Thing(name)


def _encode(text: str, encoding: str = "latin1") -> bytes:
    if encoding.lower().replace("-", "") not in {"latin1", "iso88591"}:
        raise UnsafePickleError("_codecs.encode to anything but latin1 is not part of a model")
    return text.encode("latin1")


def _bytearray(content: str | bytes = b"", encoding: str = "latin1") -> bytearray:
    if not isinstance(content, str | bytes | bytearray):
        raise UnsafePickleError(f"bytearray of a {type(content).__name__} is not part of a model")
    return bytearray(_encode(content, encoding) if isinstance(content, str) else content)


def _ordered(*_: object) -> dict[str, Any]:
    """Return an empty one: a booster has nothing relevant in it, and copying items lets a small file fill memory."""
    return {}


def _bytes() -> bytes:
    return b""


def _dtype(name: str, *_: object) -> Thing:
    if not isinstance(name, str) or len(name) > 8 or not _PLAIN_DTYPE.fullmatch(name):
        raise UnsafePickleError("numpy.dtype of Python objects is not part of a model: only numbers and text are")
    return Thing(DTYPE, (name,))


def array_bytes(shape: Any, dtype: Any) -> int:
    """Return how many bytes a joblib array takes in the file. Raises UnsafePickleError."""
    if not isinstance(dtype, Thing) or dtype.type != DTYPE or not isinstance(shape, tuple | list):
        raise UnsafePickleError("an array without shape and dtype is not part of a model")
    if len(shape) > DIMENSIONS_LIMIT or not all(type(size) is int and 0 <= size <= SIZE_LIMIT_BYTES for size in shape):
        raise UnsafePickleError("an array of that shape is not part of a model")
    return prod(shape) * _item_bytes(dtype)


def _item_bytes(dtype: Thing) -> int:
    plain = _PLAIN_DTYPE.fullmatch(dtype.arguments[0])
    if plain is None:
        raise ValueError("an array without a dtype")
    return int(plain[1]) * (4 if "U" in plain[0] else 1)


def _scalar(dtype: Thing, content: bytes) -> Thing:
    return Thing(SCALAR, (dtype, content))


def _array(*arguments: object) -> Thing:
    return Thing(NDARRAY, arguments)


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
