"""Hostile and damaged artefacts end soon, in little memory, with a code; what is imported was verified."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import xgboost

from training.artefact import load
from training.budget import MIB
from training.errors import Code, ModelImportError
from training.importing import import_artefact

from .conftest import predict, zoo
from .hostile import flipped, hostile, truncated

CPU_SECONDS, RESIDENT_BYTES = 10, 512 * MIB
HOSTILE = hostile()
CODE = re.compile(rf"^({'|'.join(Code)}): \S")
KINDS = (
    *(
        ("3.2.0-python3.13", name)
        for name in ("softprob.ubj", "dart.json", "classifier.pickle5", "logistic-lzma.joblib")
    ),
    *(("1.2.1-python3.7", name) for name in ("logistic.pickle2", "logistic.binary", "linear.json")),
    *(("2.0.3-python3.9", name) for name in ("categorical.ubj", "logistic-pickle.tar.gz", "quantile.json")),
    *(("0.72.1-python2.7", name) for name in ("classifier.pickle0", "dart.binary", "logistic.joblib")),
)


def some_slow(cases: Sequence[tuple[Any, ...]]) -> list[Any]:
    return [pytest.param(*case, marks=pytest.mark.slow) for case in cases]


class Usage:
    """What the processes used, as the system says when they end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cpu_seconds, self.resident_bytes, self.wait4 = 0.0, 0, os.wait4
        monkeypatch.setattr(os, "wait4", self)

    def __call__(self, pid: int, options: int) -> Any:
        ended, status, used = self.wait4(pid, options)
        if ended:
            self.cpu_seconds += used.ru_utime + used.ru_stime
            self.resident_bytes = max(self.resident_bytes, used.ru_maxrss * 1024)
        return ended, status, used


@pytest.fixture
def usage(monkeypatch: pytest.MonkeyPatch) -> Usage:
    return Usage(monkeypatch)


def outcome(content: bytes, folder: Path) -> str | None:
    """Why it is refused; None when it was imported."""
    (folder / "mine").write_bytes(content)
    try:
        import_artefact(folder / "mine", folder / "model.tar.gz")
    except ModelImportError as error:
        return str(error)
    return None


def refused(content: bytes, folder: Path) -> str:
    said = outcome(content, folder)
    assert said is not None
    assert CODE.match(said), said
    assert "Traceback" not in said
    assert not (folder / "model.tar.gz").exists()
    return said


def within_limits(usage: Usage, content: bytes) -> None:
    assert usage.cpu_seconds < CPU_SECONDS
    assert usage.resident_bytes < RESIDENT_BYTES + len(content)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_artefact_ends_soon_with_a_code(name: str, tmp_path: Path, usage: Usage) -> None:
    make, expected = HOSTILE[name]
    content = make()
    said = refused(content, tmp_path)
    assert re.match(expected, said), said
    within_limits(usage, content)


@pytest.mark.parametrize(("release", "name"), list(KINDS[:1]) + some_slow(KINDS[1:]))
def test_truncated_artefact_is_refused(release: str, name: str, tmp_path: Path, usage: Usage) -> None:
    for content in truncated(zoo(release, name)):
        refused(content, tmp_path)
        within_limits(usage, content)
        usage.cpu_seconds = 0


@pytest.mark.parametrize(
    ("release", "name", "count"), [(*kind, 1) for kind in KINDS] + some_slow([(*kind, 40) for kind in KINDS])
)
def test_artefact_with_a_flipped_bit_is_refused_or_right(release: str, name: str, count: int, tmp_path: Path) -> None:
    """What is imported predicts the same in both ways of the server, also for rows that import did not try."""
    genuine, random = zoo(release, name), Random(f"{release} {name} {count}")
    for _ in range(count):
        content = flipped(genuine, random.randrange(8 * len(genuine)))
        (tmp_path / "model.tar.gz").unlink(missing_ok=True)
        said = outcome(content, tmp_path)
        assert predicts_the_same_both_ways(tmp_path / "model.tar.gz") if said is None else CODE.match(said)


def predicts_the_same_both_ways(artefact: Path) -> bool:
    manifest, model = load(artefact.read_bytes())
    rows = np.random.default_rng(7).normal(size=(500, manifest.features)).astype(np.float32)
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(model))
    if "gbtree" not in booster.save_config().partition('"gradient_booster"')[2].partition('"name":"')[2][:6]:
        return manifest.verified_rows > 0
    missing = np.nan if manifest.missing is None else manifest.missing
    in_place = booster.inplace_predict(
        rows, iteration_range=(0, manifest.iterations), missing=missing, validate_features=False
    )
    return manifest.verified_rows > 0 and np.array_equal(in_place, predict(artefact, rows), equal_nan=True)


def test_limits_are_seen_to_be_broken(usage: Usage) -> None:
    """Else the limits above would prove nothing."""
    pid = os.fork()
    if pid == 0:
        taken = np.ones(700 * MIB, dtype=np.uint8)
        os._exit(int(taken[0]))
    os.wait4(pid, 0)
    with pytest.raises(AssertionError):
        within_limits(usage, b"")
