"""If loaded normally, every pickle here would run code, fill memory or create other objects. None may."""

from __future__ import annotations

import os
import pickle
import struct
import tracemalloc
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import joblib  # type: ignore[import-untyped]
import numpy as np
import pytest
import xgboost

from model_tools.errors import ModelImportError, UnsafePickleError
from model_tools.importing.foreign import find
from model_tools.importing.inert import BOOSTER, Name, Thing
from model_tools.importing.unpickle import read as read_within
from model_tools.sandbox.budget import Budget

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def read(content: bytes) -> Thing:
    budget = Budget(0)
    budget.left_bytes = 4 * len(content)
    return read_within(content, budget)


class Calls:
    """Pickles as a call of `function(*arguments)`."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


class Stateful:
    def __setstate__(self, state: dict[str, str]) -> None:
        Path(state["canary"]).touch()


def stateful(canary: Path) -> Stateful:
    made = Stateful()
    made.__dict__["canary"] = str(canary)
    return made


ATTACKS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "os.system": (lambda canary: Calls(os.system, f"touch {canary}"), r"posix\.system"),
    "eval": (lambda canary: Calls(eval, f"open({str(canary)!r}, 'w')"), r"builtins\.eval"),
    "exec": (lambda canary: Calls(exec, f"open({str(canary)!r}, 'w')"), r"builtins\.exec"),
    "open": (lambda canary: Calls(open, str(canary), "w"), r"open"),
    "getattr": (lambda canary: Calls(getattr, Calls(Path, str(canary)), "touch"), r"builtins\.getattr"),
    "__setstate__": (stateful, r"Stateful"),
    "inside a list": (lambda canary: [1, {"a": Calls(os.system, f"touch {canary}")}], r"posix\.system"),
    "numpy loader": (lambda canary: Calls(np.load, str(canary)), r"numpy"),
    "stranger": (lambda _: date(2026, 1, 1), r"datetime\.date"),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("attack", ATTACKS)
def test_attack_is_refused_by_name_and_nothing_runs(attack: str, protocol: int, tmp_path: Path) -> None:
    make, name = ATTACKS[attack]
    evil = pickle.dumps(make(tmp_path / "canary"), protocol)
    with pytest.raises(UnsafePickleError, match=name):
        read(evil)
    assert not (tmp_path / "canary").exists()


def test_the_same_attack_does_run_when_loaded(tmp_path: Path) -> None:
    """Otherwise the canary above would prove nothing."""
    pickle.loads(pickle.dumps(ATTACKS["os.system"][0](tmp_path / "canary")))
    assert (tmp_path / "canary").exists()


def test_attack_inside_a_booster_is_refused(booster: xgboost.Booster, tmp_path: Path) -> None:
    booster.__dict__["best_iteration"] = Calls(os.system, f"touch {tmp_path / 'canary'}")
    with pytest.raises(UnsafePickleError, match=r"posix\.system"):
        find(pickle.dumps(booster))
    assert not (tmp_path / "canary").exists()


def test_attack_inside_joblib_is_refused(tmp_path: Path) -> None:
    joblib.dump([np.arange(3), Calls(os.system, f"touch {tmp_path / 'canary'}")], tmp_path / "evil", compress=3)
    with pytest.raises(UnsafePickleError, match=r"posix\.system"):
        find((tmp_path / "evil").read_bytes())
    assert not (tmp_path / "canary").exists()


STEPS = {
    "a name through copyreg": (b"ccopyreg\n_reconstructor\n(cos\npopen\nc__builtin__\nobject\nNtR.", r"os\.popen"),
    "a foreign base": (b"ccopyreg\n_reconstructor\n(cxgboost.core\nBooster\ncbuiltins\ndict\nNtR.", r"builtins\.dict"),
    "copyreg of a function": (
        b"ccopyreg\n_reconstructor\n(cbuiltins\nbytearray\nc__builtin__\nobject\nNtR.",
        "bytearray",
    ),
    "python 2": (b"cos\nsystem\n(S'true'\ntR.", r"os\.system"),
    "python 2, renamed": (b"c__builtin__\neval\n(S'1'\ntR.", r"builtins\.eval"),
    "instance step": (b"(S'true'\nios\nsystem\n.", r"os\.system"),
    "object step": (b"(cos\nsystem\nS'true'\no.", r"os\.system"),
    "dotted name": (b"\x80\x04\x8c\x0exgboost.core\x8c\x11Booster.__class__\x93.".replace(b"\x0e", b"\x0c"), "Booster"),
    "call of a made thing": (b"cxgboost.core\nBooster\n)\x81)R.", "call of a Thing"),
    "call of a text": (b"S'x'\n)R.", "call of a str"),
    "state on a name": (b"cxgboost.core\nBooster\n}b.", "state set on a Name"),
    "state on a call": (b"cbuiltins\nbytearray\n}b.", "state set on a Name"),
    "extension registry": (b"\x80\x02\x82\x01.", "EXT1"),
    "persistent id": (b"\x80\x02S'x'\nQ.", "BINPERSID"),
    "set": (b"\x80\x04\x8f.", "EMPTY_SET"),
    "out-of-band buffer": (b"\x80\x05\x97.", "NEXT_BUFFER"),
    "object array": (b"cnumpy\ndtype\n(S'O8'\nI0\nI1\ntR.", r"numpy\.dtype of Python objects"),
    "structured array": (b"cnumpy\ndtype\n((lS'x'\ntR.", r"numpy\.dtype of Python objects"),
    "bytearray of a number": (b"cbuiltins\nbytearray\n(I99999999999\ntR.", "bytearray of a int"),
    "another codec": (b"c_codecs\nencode\n(Vx\nS'rot13'\ntR.", "latin1"),
    "key that is a tuple": (b"}((tI1\ns.".replace(b"((", b"("), "key of type tuple"),
    "terminal codes": (b"c\x1b[2J\nx\n.", r"\\x1b\[2J\.x"),
}


@pytest.mark.parametrize("step", STEPS)
def test_step_that_no_model_needs_is_refused(step: str) -> None:
    evil, name = STEPS[step]
    with pytest.raises(UnsafePickleError, match=name):
        read(evil)


def test_object_array_is_refused_in_pickle_and_joblib(booster: xgboost.Booster, tmp_path: Path) -> None:
    booster.__dict__["best_score"] = np.array([[1], "two"], dtype=object)
    joblib.dump(booster, tmp_path / "model.joblib")
    for content in (pickle.dumps(booster), (tmp_path / "model.joblib").read_bytes()):
        with pytest.raises(UnsafePickleError, match=r"numpy\.dtype of Python objects"):
            find(content)


GREEDY = {
    "bytearray8": b"\x80\x05\x96" + struct.pack("<Q", 1 << 28) + b".",
    "binbytes8": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 28) + b".",
    "binunicode8": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 28) + b".",
    "memo": b"\x80\x02Nr\xff\xff\xff\xff.",
    "frame": b"\x80\x04\x95" + struct.pack("<Q", 1 << 28) + b".",
    "array": b"\x80\x04\x8c\x05numpy\x8c\x07ndarray\x93.",
    "amplified": b"c_codecs\nencode\np0\n0(" + b"V" + b"x" * 10_000 + b"\np1\n0" + b"g0\n(g1\ntR" * 5_000 + b"t.",
}


@pytest.mark.parametrize("attack", GREEDY)
def test_small_file_cannot_ask_for_much_memory(attack: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ModelImportError):
            read(GREEDY[attack])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000


@pytest.mark.parametrize("cut", [0, 1, 2, 50, -2])
def test_damaged_pickle_is_refused(booster: xgboost.Booster, cut: int) -> None:
    with pytest.raises(ModelImportError, match="damaged"):
        read(pickle.dumps(booster)[:cut])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_booster_is_read_as_an_inert_thing(booster: xgboost.Booster, protocol: int) -> None:
    found = read(pickle.dumps(booster, protocol))
    assert isinstance(found, Thing)
    assert found.type == BOOSTER == Name("xgboost.core", "Booster")
    assert found.state["handle"] == booster.__getstate__()["handle"]


@pytest.mark.parametrize("holds", [{"model": 1}, [1, 2], "text", 7, None])
def test_pickle_of_something_else_is_refused(holds: object) -> None:
    with pytest.raises(ModelImportError, match="not a model"):
        read(pickle.dumps(holds))


def test_arrays_and_numpy_numbers_beside_the_model_are_stepped_over(booster: xgboost.Booster, tmp_path: Path) -> None:
    booster.__dict__.update(best_score=np.float64(0.5), classes=np.array(["a", "b"]), history=np.arange(999.0))
    joblib.dump(booster, tmp_path / "model.joblib")
    for protocol in PROTOCOLS:
        assert read(pickle.dumps(booster, protocol)).type == BOOSTER
    assert read((tmp_path / "model.joblib").read_bytes()).state["handle"] == booster.__getstate__()["handle"]
