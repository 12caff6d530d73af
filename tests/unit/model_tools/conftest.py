"""Small models to import, and those of the zoo."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import xgboost
from numpy.typing import NDArray

from model_tools.importing import orders
from model_tools.importing.conversion import Converted, convert
from model_tools.importing.foreign import Found
from model_tools.sandbox.budget import MIB
from model_tools.sandbox.sandbox import Limits, Sandbox

ROOT = Path(__file__).parents[3]
Rows = NDArray[np.float32]
ROOMY = Limits(cpu_seconds=600, wall_seconds=600, address_bytes=8192 * MIB, base_resident_bytes=4096 * MIB)


@pytest.fixture(scope="session")
def rows() -> Rows:
    rng = np.random.default_rng(0)
    found = rng.normal(size=(200, 4)).astype(np.float32)
    found[rng.random(found.shape) < 0.1] = np.nan
    return found


@pytest.fixture(scope="session")
def labels(rows: Rows) -> NDArray[np.int8]:
    found: NDArray[np.int8] = (np.nansum(rows, axis=1) > 0).astype(np.int8)
    return found


@pytest.fixture
def booster(rows: Rows, labels: NDArray[np.int8]) -> xgboost.Booster:
    return train(rows, labels)


def train(rows: Rows, labels: NDArray[np.int8]) -> xgboost.Booster:
    settings = {"objective": "binary:logistic", "max_depth": 3, "nthread": 1, "base_score": 0.3}
    return xgboost.train(settings, xgboost.DMatrix(rows, labels, nthread=1), 6)


def zoo(release: str, name: str) -> bytes:
    """One model of tests/fixtures/zoo, which tools/zoo makes."""
    with tarfile.open(ROOT / "tests" / "fixtures" / "zoo" / f"{release}.tar.xz") as archive:
        content = archive.extractfile(name)
        assert content is not None
        return content.read()


def convert_all(found: Sequence[Found], limits: Limits | None = None) -> list[Converted]:
    """Convert many models at once, because starting XGBoost is slow."""
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder, str(number)) for number in range(len(found))]
        for here, one in zip(places, found, strict=True):
            orders.write(here, one)
        return convert(places, Sandbox(Path(folder), limits or ROOMY))


def predict(artifact: Path, rows: Rows) -> NDArray[np.float32]:
    """Predict as a reader of the artifact does, by its manifest."""
    from model_tools.artifact import load

    manifest, model = load(artifact.read_bytes())
    booster = xgboost.Booster()
    booster.load_model(bytearray(model))
    missing = float("nan") if manifest.missing is None else manifest.missing
    matrix = xgboost.DMatrix(rows, missing=missing, nthread=1)
    scores: NDArray[np.float32] = booster.predict(
        matrix, iteration_range=(0, manifest.iterations), validate_features=False
    )
    return scores
