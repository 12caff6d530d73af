"""Read a pickle or joblib file of an XGBoost model without running its code.

A pickle is a program. This reads the program's steps, but a name in it (`xgboost.core.Booster`) becomes an inert
`Name`, an object becomes an inert `Thing`, and the calls listed in `inert.CALLS` run our own functions. Any other name
or step is refused. Nothing is imported, no attribute is set, and no `__setstate__` runs.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections.abc import Callable
from typing import Any

from model_tools.errors import ModelImportError, UnsafePickleError
from model_tools.importing.inert import ARGUMENTS_LIMIT, CALLS, CLASSES, JOBLIB_ARRAY, Name, Thing, array_bytes, refused
from model_tools.sandbox.budget import Budget

_PYTHON_2 = {"copy_reg": "copyreg", "__builtin__": "builtins"}


class ModelUnpickler(pickle._Unpickler):
    """The pure-Python unpickler, which allocates only what is in the file, with safe versions of steps with effects."""

    stack: list[Any]
    append: Callable[[Any], None]
    read: Callable[[int], bytes]
    pop_mark: Callable[[], list[Any]]

    def __init__(self, content: bytes, budget: Budget) -> None:
        self.stream = io.BytesIO(content)
        self.length = len(content)
        self.budget = budget
        # latin1 keeps the bytes of Python 2's strings unchanged.
        super().__init__(self.stream, encoding="latin1")

    def find_class(self, module: str, name: str) -> Name:
        # numpy 2 renamed numpy.core to numpy._core.
        module = _PYTHON_2.get(module, module).replace("numpy._core", "numpy.core")
        found = Name(module, name)
        if found not in CLASSES and found not in CALLS and found != Name("builtins", "object"):
            raise refused(found)
        return found

    def call(self, called: Any, arguments: Any) -> None:
        """Push the inert value of `called(*arguments)`. Raises UnsafePickleError."""
        check_arguments(arguments)
        if isinstance(called, Name) and called in CALLS:
            self.append(self.spend(CALLS[called](*arguments)))
        else:
            self.make(called, arguments)

    def make(self, name: Any, arguments: Any) -> None:
        if not isinstance(name, Name) or name not in CLASSES:
            raise refused(name)
        check_arguments(arguments)
        self.append(Thing(name, arguments))

    def spend(self, value: Any) -> Any:
        """Count bytes against the budget: a small file could decode one long text many times and fill memory."""
        if isinstance(value, bytes | bytearray):
            self.budget.spend(len(value))
        return value

    def build(self) -> None:
        state = self.stack.pop()
        thing = self.stack[-1]
        if not isinstance(thing, Thing):
            raise UnsafePickleError(f"a state set on a {type(thing).__name__} is not part of a model")
        thing.state = state
        if thing.type == JOBLIB_ARRAY:
            self.skip_array(state)

    def skip_array(self, wrapper: Any) -> None:
        """Skip an array's bytes, which joblib writes into the stream after the wrapper that describes it."""
        if not isinstance(wrapper, dict):
            raise UnsafePickleError("an array without shape and dtype is not part of a model")
        if "numpy_array_alignment_bytes" in wrapper:
            self.skip(self.read_exactly(1)[0])
        self.skip(array_bytes(wrapper.get("shape"), wrapper.get("dtype")))

    def skip(self, count: int) -> None:
        if self.stream.tell() + count > self.length:
            raise EOFError("an array is truncated")
        self.stream.seek(count, io.SEEK_CUR)

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Before `target[key]`: hashing a nested tuple can take for ever.
            if not isinstance(key, str | bytes | int | float | None):
                raise UnsafePickleError(f"a dictionary key of type {type(key).__name__} is not part of a model")
            target[key] = value

    def read_exactly(self, length: int) -> bytes:
        content = self.read(length)
        if len(content) != length:
            raise EOFError("the pickle is truncated")
        return content

    def _instantiate(self, name: Any, arguments: Any) -> None:
        """Called by the base class for the steps INST and OBJ of old protocols."""
        self.make(name, tuple(arguments))


def check_arguments(arguments: Any) -> None:
    """Limit arguments: each call copies them all, for a few bytes of pickle."""
    if not isinstance(arguments, tuple) or len(arguments) > ARGUMENTS_LIMIT:
        raise UnsafePickleError("a call with those arguments is not part of a model: the pickle was refused")


def _counted(step: Callable[[Any], None]) -> Callable[[Any], None]:
    def run(reader: Any) -> None:
        reader.budget.step()
        step(reader)

    return run


def _reduce(reader: ModelUnpickler) -> None:
    arguments, called = reader.stack.pop(), reader.stack.pop()
    reader.call(called, arguments)


def _new_object(reader: ModelUnpickler) -> None:
    arguments, name = reader.stack.pop(), reader.stack.pop()
    reader.make(name, arguments)


def _bytearray8(reader: ModelUnpickler) -> None:
    """Read first, because the base class allocates before it reads."""
    (length,) = struct.unpack("<Q", reader.read_exactly(8))
    reader.append(reader.spend(bytearray(reader.read_exactly(length))))


def _dict(reader: ModelUnpickler) -> None:
    items = reader.pop_mark()
    reader.append({})
    reader.set_items(items)


def _set_item(reader: ModelUnpickler) -> None:
    value, key = reader.stack.pop(), reader.stack.pop()
    reader.set_items([key, value])


def _refuse_step(name: str) -> Callable[[ModelUnpickler], None]:
    def refuse(_: ModelUnpickler) -> None:
        raise UnsafePickleError(f"the pickle step {name} is not part of a model: the pickle was refused")

    return refuse


_REFUSED_STEPS = (
    *("EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID", "NEWOBJ_EX", "NEXT_BUFFER", "READONLY_BUFFER"),
    *("EMPTY_SET", "FROZENSET", "ADDITEMS"),
)
_STEPS: dict[bytes, Callable[[Any], None]] = {
    pickle.REDUCE: _reduce,
    pickle.NEWOBJ: _new_object,
    pickle.BUILD: ModelUnpickler.build,
    pickle.DICT: _dict,
    pickle.SETITEM: _set_item,
    pickle.SETITEMS: lambda reader: reader.set_items(reader.pop_mark()),
    pickle.BYTEARRAY8: _bytearray8,
    **{getattr(pickle, name): _refuse_step(name) for name in _REFUSED_STEPS},
}
_ALL_STEPS: dict[int, Callable[[Any], None]] = {
    **ModelUnpickler.dispatch,
    **{code[0]: step for code, step in _STEPS.items()},
}
ModelUnpickler.dispatch = {
    code: step if code == pickle.STOP[0] else _counted(step) for code, step in _ALL_STEPS.items()
}


def read(content: bytes, budget: Budget) -> Thing:
    """Return the object of a pickle, inert. Raises ModelImportError."""
    try:
        found = ModelUnpickler(content, budget).load()
    except (ModelImportError, MemoryError):
        raise
    except Exception as error:  # a damaged pickle can raise any error
        raise ModelImportError(f"the pickle is damaged: {type(error).__name__}: {error}"[:300]) from error
    if not isinstance(found, Thing):
        raise ModelImportError(f"the pickle has a {type(found).__name__}, not a model; pickle the booster itself")
    return found
