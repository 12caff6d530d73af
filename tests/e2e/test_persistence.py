"""The state that `dropscore local down` keeps for the next `up`."""

from __future__ import annotations

import os
import time
from pathlib import Path

from dropscore.jobs.job import State
from local.cloud import Clock, find, launch
from tests.e2e.conftest import WAIT_SECONDS, Driver


def test_state_and_unfinished_jobs_survive_a_restart(tmp_path: Path, sample: list[bytes]) -> None:
    lines: list[str] = []
    body = b"\n".join(sample) + b"\n"
    cloud = launch(tmp_path, os.environ, lines.append, Clock())
    try:
        first = Driver(cloud)
        done = first.ended(first.drop("input/done.csv", body))
        unfinished = first.drop("input/unfinished.csv", body * 400)
        _until_running(first, unfinished)
    finally:
        cloud.stop()
    assert lines == [
        f"deploying {stack}" for stack in ("dropscore-dev-storage", "dropscore-dev-hosting", "dropscore-dev-scoring")
    ]
    assert find(tmp_path) is None

    lines.clear()
    cloud = launch(tmp_path, os.environ, lines.append, Clock())
    try:
        second = Driver(cloud)
        assert find(tmp_path) == cloud
        assert (cloud.endpoint_url, cloud.outputs) == (first.cloud.endpoint_url, first.cloud.outputs)
        assert second.find(done.job_id) == done
        assert len(second.read(done.output_key).splitlines()) == len(sample)
        resumed = second.ended(unfinished)
        assert (resumed.status, resumed.rows, resumed.attempt) == (State.SUCCEEDED, 400 * len(sample), 2)
        (batch_job,) = second.batch_jobs(unfinished)
        assert batch_job["attempts"][0]["statusReason"] == "Your Spot Task was interrupted."
    finally:
        cloud.stop()
    assert lines == [] or cloud.digest != first.cloud.digest, "nothing changed, so there must be no deployment"


def _until_running(driver: Driver, identity: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        job = driver.find(identity)
        if job is not None and job.status is State.RUNNING:
            return
        time.sleep(0.02)
    raise AssertionError("the job did not start")
