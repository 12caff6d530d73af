"""Your own containers in the embedded cloud: the example scores; a failing one publishes nothing and says why."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from dropscore.jobs.job import State
from dropscore.jobs.routes import errors_key
from tests.e2e.conftest import Driver, cloud_of

SETTINGS = Path(__file__).with_name("own_containers.toml")
WEIGHTS, BIAS = (0.8, -0.4, 0.1, 1.5), -1.0
ROWS = [(index % 7 - 3.0, index / 100, -index % 11 * 1.0, 0.25) for index in range(500)]
CANARY = "987654.321"


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    with cloud_of(SETTINGS, tmp_path_factory.mktemp("own")) as running:
        yield Driver(running)


@pytest.fixture(scope="module")
def failing(driver: Driver) -> str:
    """A job of the failing model; its attempts take a while, in which the other tests run."""
    return driver.drop("input/failing/rows.csv", f"{CANARY},1\n".encode())


def test_the_example_scores_a_file_in_order(driver: Driver, failing: str) -> None:
    body = "".join(",".join(map(str, row)) + "\n" for row in ROWS).encode()

    job = driver.ended(driver.drop("input/rows.csv", body))

    assert (job.status, job.rows, job.model) == (State.SUCCEEDED, len(ROWS), "linear")
    scores = [float(line) for line in driver.read(job.output_key).splitlines()]
    expected = [1 / (1 + math.exp(-BIAS - sum(map(float.__mul__, WEIGHTS, row)))) for row in ROWS]
    assert scores == pytest.approx(expected, rel=1e-12)


def test_the_examples_refusal_names_the_row_of_the_file(driver: Driver, failing: str) -> None:
    job = driver.ended(driver.drop("input/bad.csv", f"5,2,3,4\n1,2,three{CANARY},4\n".encode()))

    assert (job.status, job.code) == (State.REJECTED, "BAD_ROW")
    assert (job.message or "").startswith("row 2 (line 2, at byte 8): ")
    assert CANARY not in (job.message or "")
    assert driver.outputs("bad.csv") == []


def test_bad_rows_that_the_route_bears_leave_empty_lines_and_a_list(driver: Driver, failing: str) -> None:
    """The example does not name the rejected rows, so Dropscore finds each by bisection."""
    rows = [f"1,2,{CANARY}x,4" if number in (3, 7) else "5,2,3,4" for number in range(1, 10)]
    job = driver.ended(driver.drop("input/forgiving/bad.csv", "\n".join(rows).encode()))

    assert (job.status, job.rows, job.rows_scored, job.rows_rejected) == (State.SUCCEEDED, 9, 7, 2)
    lines = driver.read(job.output_key).split(b"\n")
    assert [number for number, line in enumerate(lines[:9], 1) if not line] == [3, 7]
    listed = driver.read(errors_key(job.output_key)).decode().splitlines()
    assert [line.split(",")[:3] for line in listed] == [
        ["row", "offset", "code"],
        ["3", "16", "BAD_ROW"],
        ["7", str(6 * 8 + len(CANARY)), "BAD_ROW"],
    ]
    assert CANARY not in "".join(listed)


def test_a_model_that_always_fails_gives_a_job_that_failed_and_says_why(driver: Driver, failing: str) -> None:
    job = driver.ended(failing)

    assert (job.status, job.code, job.rows_scored) == (State.FAILED, "MODEL_FAILED", 0)
    expected = "row 1 (at byte 0): the model container returned HTTP 500; its log has the reason: "
    assert (job.message or "").startswith(expected)
    assert CANARY not in (job.message or "")
    assert [key for key in driver.outputs("rows.csv") if key.startswith("output/failing/")] == []
