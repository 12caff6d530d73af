"""Hostile and damaged files fail soon, in little memory, with a code; imported models are verified."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import xgboost

from model_tools.artifact import load
from model_tools.errors import Code, ModelImportError
from model_tools.importing.command import import_artifact
from model_tools.sandbox.budget import MIB
from tests.unit.model_tools.conftest import predict, zoo
from tests.unit.model_tools.importing.hostile import flipped, hostile, truncated
from tests.unit.model_tools.importing.measuring import Measured, measured_import

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


@pytest.fixture(scope="session")
def small_process() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield pool


@pytest.fixture
def within_limits(small_process: ProcessPoolExecutor, tmp_path: Path) -> Callable[[bytes], str]:
    """Import the content, which must be refused within the limits. Return the error message."""

    def refused(content: bytes) -> str:
        (tmp_path / "mine").write_bytes(content)
        measured = small_process.submit(measured_import, tmp_path / "mine", tmp_path / "model.tar.gz").result()
        check(measured, content)
        assert measured.refusal is not None
        assert CODE.match(measured.refusal), measured.refusal
        assert "Traceback" not in measured.refusal
        assert not (tmp_path / "model.tar.gz").exists()
        return measured.refusal

    return refused


def check(measured: Measured, content: bytes) -> None:
    assert measured.cpu_seconds < CPU_SECONDS
    assert measured.resident_bytes < RESIDENT_BYTES + len(content)


def outcome(content: bytes, folder: Path) -> str | None:
    """Return why it is refused; None if the import succeeded."""
    (folder / "mine").write_bytes(content)
    try:
        import_artifact(folder / "mine", folder / "model.tar.gz")
    except ModelImportError as error:
        return str(error)
    return None


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_artifact_ends_soon_with_a_code(name: str, within_limits: Callable[[bytes], str]) -> None:
    make, expected = HOSTILE[name]
    message = within_limits(make())
    assert re.match(expected, message), message


@pytest.mark.parametrize(("release", "name"), list(KINDS[:1]) + some_slow(KINDS[1:]))
def test_truncated_artifact_is_refused(release: str, name: str, within_limits: Callable[[bytes], str]) -> None:
    for content in truncated(zoo(release, name)):
        within_limits(content)


@pytest.mark.parametrize(
    ("release", "name", "count"), [(*kind, 1) for kind in KINDS] + some_slow([(*kind, 40) for kind in KINDS])
)
def test_artifact_with_a_flipped_bit_is_refused_or_right(release: str, name: str, count: int, tmp_path: Path) -> None:
    """An imported model predicts the same in both ways of the server, also for rows that import did not try."""
    genuine, random = zoo(release, name), Random(f"{release} {name} {count}")
    for _ in range(count):
        content = flipped(genuine, random.randrange(8 * len(genuine)))
        (tmp_path / "model.tar.gz").unlink(missing_ok=True)
        said = outcome(content, tmp_path)
        assert predicts_the_same_both_ways(tmp_path / "model.tar.gz") if said is None else CODE.match(said)


def predicts_the_same_both_ways(artifact: Path) -> bool:
    manifest, model = load(artifact.read_bytes())
    rows = np.random.default_rng(7).normal(size=(500, manifest.features)).astype(np.float32)
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(model))
    if "gbtree" not in booster.save_config().partition('"gradient_booster"')[2].partition('"name":"')[2][:6]:
        return manifest.verified_rows > 0
    missing = np.nan if manifest.missing is None else manifest.missing
    in_place = booster.inplace_predict(
        rows, iteration_range=(0, manifest.iterations), missing=missing, validate_features=False
    )
    return manifest.verified_rows > 0 and np.array_equal(in_place, predict(artifact, rows), equal_nan=True)


@pytest.mark.parametrize("over", [{"cpu_seconds": 11.0}, {"resident_bytes": 700 * MIB}])
def test_limits_are_seen_to_be_broken(over: dict[str, Any]) -> None:
    """Otherwise the limits above would prove nothing."""
    with pytest.raises(AssertionError):
        check(Measured("refused", 1.0, MIB)._replace(**over), b"")


def test_process_usage_is_measured(small_process: ProcessPoolExecutor, tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(zoo(*KINDS[0]))
    measured = small_process.submit(measured_import, tmp_path / "mine", tmp_path / "model.tar.gz").result()
    assert measured.refusal is None
    assert measured.cpu_seconds > 0.1
    assert 30 * MIB < measured.resident_bytes < RESIDENT_BYTES
