from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model_tools.artifact import load
from tests.unit.model_tools.conftest import predict
from training import demo


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    demo.write(folder)
    return folder


def test_bytes_are_the_same_each_time(built: Path, tmp_path: Path) -> None:
    demo.write(tmp_path)
    for name in ("model.tar.gz", "sample.csv"):
        assert (tmp_path / name).read_bytes() == (built / name).read_bytes()


def test_manifest_describes_the_model(built: Path) -> None:
    manifest, _ = load((built / "model.tar.gz").read_bytes())
    assert (manifest.features, manifest.outputs, manifest.trees, manifest.iterations) == (30, 1, 100, 100)
    assert (manifest.objective, manifest.missing) == ("binary:logistic", None)


def test_model_finds_the_frauds_of_the_sample(built: Path) -> None:
    rows = np.loadtxt(built / "sample.csv", delimiter=",", dtype=np.float32)
    scores = predict(built / "model.tar.gz", rows)
    assert scores.shape == (500,)
    assert sorted(np.argsort(scores)[-3:]) == _frauds()


def _frauds() -> list[int]:
    from training import data

    _, labels = next(data.blocks(demo.SAMPLE_ROWS, demo.SAMPLE_SEED))
    return [int(row) for row in np.flatnonzero(labels)]
