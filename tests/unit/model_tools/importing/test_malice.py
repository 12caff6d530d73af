"""Malicious files of many kinds, read in a process whose every import, open, process and socket is watched."""

from __future__ import annotations

import bz2
import ctypes
import functools
import io
import json
import operator
import os
import pickle
import re
import runpy
import socket
import struct
import subprocess
import sys
import tarfile
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib  # type: ignore[import-untyped]
import numpy as np
import xgboost

from tests.unit.model_tools.importing.test_unpickle import Calls, stateful

WATCHED = Path(__file__).with_name("watched.py")
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def booster_with(value: object) -> bytes:
    booster = xgboost.train({"nthread": 1}, xgboost.DMatrix(np.eye(3), [0, 1, 2]), 1)
    booster.__dict__["best_score"] = value
    return pickle.dumps(booster)


def as_joblib(value: object) -> bytes:
    out = io.BytesIO()
    joblib.dump(value, out)
    return out.getvalue()


def as_tar(content: bytes, name: str = "xgboost-model", kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname, entry.size = kind, link, len(content)
        archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def laughs() -> bytes:
    """Return nested tuples, each with the inner one twice: 2**60 leaves to walk."""
    return b"\x80\x02)" + b"2\x86" * 60 + b"."


CALLED: dict[str, tuple[Callable[[str], Any], str]] = {
    "os.system": (lambda canary: Calls(os.system, f"touch {canary}"), r"posix\.system"),
    "subprocess": (lambda canary: Calls(subprocess.Popen, ["touch", canary]), r"(subprocess|commands)\.Popen"),
    "check_output": (lambda canary: Calls(subprocess.check_output, ["touch", canary]),
                     r"(subprocess|commands)\.check_output"),
    "eval": (lambda canary: Calls(eval, f"open({canary!r}, 'w')"), r"builtins\.eval"),
    "exec": (lambda canary: Calls(exec, f"open({canary!r}, 'w')"), r"builtins\.exec"),
    "compile": (lambda _: Calls(compile, "1", "x", "eval"), r"builtins\.compile"),
    "__import__": (lambda _: Calls(__import__, "antigravity"), r"builtins\.__import__"),
    "getattr chain": (lambda _: Calls(getattr, Calls(__import__, "os"), "system"),
                      r"builtins\.(getattr|__import__)"),
    "attrgetter": (lambda _: Calls(operator.attrgetter("system"), os.name), r"operator\.attrgetter"),
    "methodcaller": (lambda _: operator.methodcaller("touch"), r"operator\.methodcaller"),
    "partial": (lambda canary: functools.partial(os.system, f"touch {canary}"), r"functools\.partial|posix\.system"),
    "runpy": (lambda canary: Calls(runpy.run_path, canary), r"runpy\.run_path"),
    "socket": (lambda _: Calls(socket.create_connection, ("127.0.0.1", 9)), r"socket\.create_connection"),
    "browser": (lambda _: Calls(webbrowser.open, "x"), r"webbrowser\.open"),
    "library": (lambda canary: Calls(ctypes.CDLL, canary), r"ctypes\.CDLL"),
    "pickle in a pickle": (lambda _: Calls(pickle.loads, pickle.dumps(Calls(os.system, "true"))),
                           r"pickle\.loads"),
    "joblib in a pickle": (lambda canary: Calls(joblib.load, canary), r"joblib\.numpy_pickle\.load"),
    "setstate": (lambda canary: stateful(Path(canary)), r"Stateful"),
    "chmod": (lambda canary: Calls(os.chmod, canary, 0o777), r"posix\.chmod"),
    "object array": (lambda canary: np.array([Calls(os.system, f"touch {canary}")], dtype=object),
                     r"posix\.system|Python objects"),
    "numpy loader": (lambda canary: Calls(np.load, canary), "numpy"),
    "numpy memmap": (lambda canary: Calls(np.memmap, canary, "u1", "w+", 0, (9,)), r"numpy\.memmap|memmap"),
}  # fmt: skip
STEPS: dict[str, tuple[bytes, str]] = {
    "extension 1": (b"\x80\x02\x82\x01(S'true'\ntR.", "EXT1"),
    "extension 2": (b"\x80\x02\x83\x01\x00(S'true'\ntR.", "EXT2"),
    "extension 4": (b"\x80\x02\x84\x01\x00\x00\x00(S'true'\ntR.", "EXT4"),
    "persistent id": (b"Psomewhere\n.", "not a model|PERSID|not an XGBoost model"),
    "persistent id 2": (b"\x80\x02S'x'\nQ.", "BINPERSID"),
    "name out of built texts": (b"\x80\x04\x8c\x05posix\x94\x8c\x06system\x94h\x00h\x01\x93\x8c\x04true\x85R.",
                                r"posix\.system"),
    "state on a dictionary": (b"\x80\x02}}b.", "state set on a dict"),
    "state on a stranger": (b"cos\nenviron\n}(S'A'\nS'B'\nub.", r"os\.environ"),
    "class of a class": (b"\x80\x04\x8c\x0cxgboost.core\x8c\x16Booster.__init__.__glo\x93.", "Booster.__init__"),
    "memo bomb": (b"\x80\x02Nr\xff\xff\xff\xff.", "not a model|damaged"),
    "length of bytes": (b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60) + b".", "damaged"),
    "length of text": (b"\x80\x04\x8d" + struct.pack("<Q", 1 << 60) + b".", "damaged"),
    "length of a number": (b"\x80\x02\x8b\xff\xff\xff\x7f.", "damaged"),
    "number without end": (b"\x80\x02I" + b"9" * 100_000 + b"\n.", "damaged"),
    "billion laughs": (laughs(), "not a model"),
    "nested without end": (b"\x80\x02" + b"(" * 100_000 + b"t" * 100_000 + b".", "not a model"),
    "old joblib file name": (b"\x80\x02cjoblib.numpy_pickle\nNDArrayWrapper\n)\x81}X\x08\x00\x00\x00filename"
                             b"X\x0b\x00\x00\x00/etc/passwdsb.", r"joblib\.numpy_pickle\.NDArrayWrapper"),
    "LightGBM": (b"\x80\x02clightgbm.basic\nBooster\n)\x81.", r"lightgbm\.basic\.Booster.*container = …"),
    "scikit-learn": (b"\x80\x02csklearn.ensemble._forest\nRandomForestClassifier\n)\x81.",
                     r"RandomForestClassifier.*container = …"),
}  # fmt: skip


def malicious(canary: str) -> dict[str, tuple[bytes, str]]:
    files = dict(STEPS)
    for name, (make, reason) in CALLED.items():
        for protocol in PROTOCOLS:
            files[f"{name}, protocol {protocol}"] = pickle.dumps(make(canary), protocol), reason
        files[f"{name}, in a booster"] = booster_with(make(canary)), reason
        files[f"{name}, joblib"] = as_joblib(make(canary)), f"{reason}|Python objects"
        files[f"{name}, tar"] = as_tar(bz2.compress(pickle.dumps(make(canary)))), reason
    evil = pickle.dumps(Calls(os.system, f"touch {canary}"))
    files["tar that leads out"] = as_tar(evil, "../../model"), "leads out"
    files["tar with a root"] = as_tar(evil, "/etc/model"), "leads out"
    files["tar with a link"] = as_tar(b"", "model", tarfile.SYMTYPE, "/etc/passwd"), "only files are read"
    files["tar with a hard link"] = as_tar(b"", "model", tarfile.LNKTYPE, "/etc/passwd"), "only files are read"
    files["tar with a device"] = as_tar(b"", "model", tarfile.CHRTYPE), "only files are read"
    return files


def watch(folder: Path, *options: str) -> dict[str, dict[str, Any]]:
    command = [sys.executable, str(WATCHED), str(folder), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


def test_every_attack_is_refused_by_name_and_nothing_is_done(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    files = malicious(str(tmp_path / "canary"))
    for number, (content, _) in enumerate(files.values()):
        (tmp_path / "in" / f"{number:03}").write_bytes(content)
    answers = dict(zip(files, watch(tmp_path / "in").values(), strict=True))
    assert {name: answers[name]["seen"] for name in files if answers[name]["seen"]} == {}
    assert {name: answers[name]["said"] for name in files if not re.search(files[name][1], answers[name]["said"])} == {}
    assert not (tmp_path / "canary").exists()
    assert len(files) > 200


def test_the_watch_sees_an_attack_that_works(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "evil").write_bytes(pickle.dumps(Calls(os.system, f"touch {tmp_path / 'canary'}")))
    (tmp_path / "in" / "extension").write_bytes(STEPS["extension 1"][0])
    answers = watch(tmp_path / "in", "--load")
    assert "os.system" in answers["evil"]["seen"]
    assert "os.system" in answers["extension"]["seen"]
    assert (tmp_path / "canary").exists()
