"""Several models in the embedded cloud, each with another serving type, and one file per route."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dropscore.jobs.job import State
from local.shim.sagemaker.endpoint import REFUSED_ASLEEP
from tests.e2e.conftest import Driver, cloud_of
from tests.e2e.test_own_container import BIAS, ROWS, WEIGHTS
from tests.e2e.test_scoring import predicted

SETTINGS = Path(__file__).with_name("several_models.toml")


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    with cloud_of(SETTINGS, tmp_path_factory.mktemp("several")) as running:
        yield Driver(running)


def turned_away(driver: Driver, model: str) -> int:
    """The number of requests that the endpoint throttled, as counted by the workers."""
    lines = [
        line for file in (driver.cloud.home / "shim" / "logs").rglob("*.log") for line in file.read_text().splitlines()
    ]
    measured = [json.loads(line) for line in lines if '"measured"' in line]
    return sum(metrics.get("Throttles", 0) for metrics in measured if metrics.get("Model") == model)


def test_a_serverless_endpoint_that_turns_away_most_of_what_is_in_flight_scores_all(
    driver: Driver, sample: list[bytes], tmp_path: Path
) -> None:
    job = driver.ended(driver.drop("input/rows.csv", b"\n".join(sample) + b"\n"))

    assert (job.status, job.model, job.rows) == (State.SUCCEEDED, "fraud", len(sample)), job
    assert turned_away(driver, "fraud") > 0
    assert np.array_equal(np.array(driver.read(job.output_key).split(), dtype=np.float32), predicted(sample, tmp_path))


def test_a_file_wakes_a_model_that_has_scaled_to_nothing_and_is_scored_by_it(driver: Driver) -> None:
    body = "".join(",".join(map(str, row)) + "\n" for row in ROWS).encode()

    job = driver.ended(driver.drop("input/night/rows.csv", body))

    assert (job.status, job.model, job.rows, job.code) == (State.SUCCEEDED, "linear", len(ROWS), None), job
    assert turned_away(driver, "linear") == REFUSED_ASLEEP
    scores = [float(line) for line in driver.read(job.output_key).splitlines()]
    expected = [1 / (1 + math.exp(-BIAS - sum(map(float.__mul__, WEIGHTS, row)))) for row in ROWS]
    assert scores == pytest.approx(expected, rel=1e-12)


def test_the_worker_may_invoke_neither_without_the_permission_on_the_component(driver: Driver) -> None:
    with driver.without(driver.role("WorkerRole"), "sagemaker:InvokeEndpoint"):
        job = driver.ended(driver.drop("input/night/denied.csv", b"5,2,3,4\n"))

    assert (job.status, job.code) == (State.FAILED, "ACCESS_DENIED")
