from __future__ import annotations

import json
import os
import re
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from model_tools.errors import ModelImportError, UnsafePickleError
from model_tools.sandbox.budget import MIB
from model_tools.sandbox.sandbox import Limits, Sandbox, resident_bytes, resident_bytes_by_ps

MODULE = "tests.unit.model_tools.sandbox.misbehaving"
TIGHT = Limits(cpu_seconds=1, wall_seconds=20, address_bytes=2048 * MIB, base_resident_bytes=200 * MIB)


def run(folder: Path, *arguments: str, limits: Limits = TIGHT) -> None:
    Sandbox(folder, limits).run(Path(sys.executable), MODULE, *arguments, read_bytes=0)


@pytest.mark.parametrize(
    ("way", "code"),
    [
        ("spin", "TIMED_OUT: reading the model took longer than"),
        ("be_killed", "OUT_OF_MEMORY: "),
        ("abort", r"CRASHED: reading the model crashed \(SIGABRT\): "),
        ("read_nowhere", r"CRASHED: reading the model crashed \(SIGSEGV\): "),
        ("leave", r"CRASHED: reading the model crashed \(exit code 3\): "),
        ("fail", r"DAMAGED: the model cannot be read \(KeyError: "),
        ("nest", "DAMAGED: the file is nested too deeply"),
        ("refuse", "DAMAGED: no model of ours$"),
    ],
)
def test_process_that_fails_ends_with_a_code(way: str, code: str, tmp_path: Path) -> None:
    with pytest.raises(ModelImportError, match="^" + code):
        run(tmp_path, way)


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS does not limit the address space")
def test_process_that_reserves_memory_is_refused_it(tmp_path: Path) -> None:
    limits = replace(TIGHT, base_resident_bytes=1 << 40)
    with pytest.raises(ModelImportError, match=r"^OUT_OF_MEMORY: "):
        run(tmp_path, "reserve_memory", limits=limits)


def test_unsafe_pickle_keeps_its_class(tmp_path: Path) -> None:
    with pytest.raises(UnsafePickleError, match=r"UNSAFE_PICKLE: os\.system"):
        run(tmp_path, "refuse_pickle")


def test_process_that_waits_is_killed_by_the_clock(tmp_path: Path) -> None:
    began = time.monotonic()
    limits = Limits(cpu_seconds=9, wall_seconds=0.5, address_bytes=2048 * MIB)
    with pytest.raises(ModelImportError, match=r"^TIMED_OUT: "):
        run(tmp_path, "sleep", limits=limits)
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("memory_of", [resident_bytes, resident_bytes_by_ps])
def test_process_that_takes_memory_is_killed_by_the_watch(memory_of: object, tmp_path: Path) -> None:
    """Test both ways to measure memory; macOS has only the second, and no limit of the address space."""
    assert callable(memory_of)
    limits = Limits(cpu_seconds=9, wall_seconds=60, address_bytes=1 << 40, base_resident_bytes=200 * MIB)
    sandbox = Sandbox(tmp_path, limits, memory_of=memory_of)
    with pytest.raises(ModelImportError, match=r"^OUT_OF_MEMORY: "):
        sandbox.run(Path(sys.executable), MODULE, "take_memory", "2000", read_bytes=0)


def test_memory_in_use_is_seen_the_same_both_ways() -> None:
    assert resident_bytes_by_ps(os.getpid()) == pytest.approx(resident_bytes(os.getpid()), rel=0.2)
    assert resident_bytes(1 << 22) == resident_bytes_by_ps(1 << 22) == 0


def test_limits_hold_in_the_process_and_no_secret_goes_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    run(tmp_path, "tell", str(tmp_path / "told"))
    told = json.loads((tmp_path / "told").read_text())
    assert told["limits"]["RLIMIT_CORE"] == [0, 0]
    assert told["limits"]["RLIMIT_AS"] == [2048 * MIB, 2048 * MIB]
    assert 1 <= told["limits"]["RLIMIT_CPU"][0] <= 3
    assert told["environment"]["OMP_NUM_THREADS"] == "1"
    assert not re.search("secret", str(told["environment"]))


def test_processes_of_one_artifact_share_their_time(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path, Limits(cpu_seconds=60, wall_seconds=600, address_bytes=2048 * MIB))
    for _ in range(2):
        before = sandbox.cpu_left
        sandbox.run(Path(sys.executable), MODULE, "tell", str(tmp_path / "told"), read_bytes=0)
        assert sandbox.cpu_left < before


def test_limits_grow_with_the_artifact() -> None:
    small, large = Limits.of(0), Limits.of(100 * MIB)
    assert (small.address_bytes, large.address_bytes) == (2048 * MIB, 2448 * MIB)
    assert large.cpu_seconds > small.cpu_seconds
    assert small.resident_bytes(0) < 512 * MIB < large.resident_bytes(100 * MIB)
