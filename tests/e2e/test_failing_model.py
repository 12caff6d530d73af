"""A model that cannot start: the job says what it waits for, and succeeds when the model is up."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from dropscore.jobs.job import Job, State
from tests.e2e.conftest import WAIT_SECONDS, Driver
from tests.e2e.test_processes import PROC, belonging_to

pytestmark = pytest.mark.skipif(not (PROC / "self").exists(), reason="needs /proc to find the model's process")


@contextmanager
def _without_the_model(driver: Driver) -> Iterator[None]:
    """Moves the model's file away and kills its server during a `with`: a new server ends at once."""
    (folder,) = driver.cloud.home.rglob("endpoints/*/model")
    away = folder.rename(folder.with_name("away"))
    _kill_servers(driver.cloud.home, folder)
    try:
        yield
    finally:
        away.rename(folder)


def _kill_servers(home: Path, model: Path) -> None:
    for pid in belonging_to(home):
        with suppress(OSError):
            if f"SM_MODEL_DIR={model}".encode() in (PROC / str(pid) / "environ").read_bytes():
                os.kill(pid, signal.SIGKILL)


def _waiting(driver: Driver, identity: str) -> Job:
    """Returns the job as soon as its item says that it waits."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        job = driver.find(identity)
        if job is not None and (job.code == "THROTTLED" or job.status.is_final):
            return job
        time.sleep(0.1)
    raise AssertionError(f"the job never waited: {driver.find(identity)}")


def test_job_waits_while_its_model_cannot_start(driver: Driver, sample: list[bytes]) -> None:
    body = b"\n".join(sample[:3]) + b"\n"
    with _without_the_model(driver):
        identity = driver.drop("input/dying.csv", body)
        waiting = _waiting(driver, identity)
        assert driver.outputs("dying.csv") == []
    ended = driver.ended(identity)

    assert (waiting.status, waiting.code) == (State.RUNNING, "THROTTLED")
    assert "the model's process is restarting" in (waiting.message or "")
    assert (ended.status, ended.code, ended.message) == (State.SUCCEEDED, None, None)
    assert ended.attempt >= waiting.attempt >= 1
    assert len(driver.outputs("dying.csv")) == 1
