"""`kill -9` of each process of the cloud: all others end, the error is reported, and the next `up` continues."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dropscore.jobs.job import State
from local.cloud import Clock, Cloud, bring_up, find, launch
from tests.e2e.conftest import Driver
from tests.e2e.test_persistence import _until_running
from tests.e2e.test_processes import PROC, belonging_to, has_model_server, until

pytestmark = pytest.mark.skipif(not (PROC / "self").exists(), reason="needs /proc to look at processes")

COMMAND = """
import pathlib, sys
from dropscore.cli import deployment, main
deployment.EMBEDDED_CLOUD = pathlib.Path(sys.argv.pop(1), "cloud.json")
main.main()
"""
UP = """
import os, pathlib, sys
from local.cloud import Clock, launch
launch(pathlib.Path(sys.argv[1]), os.environ, lambda line: print(line, flush=True), Clock())
"""
GONE_SECONDS = 30.0  # a job has 10 seconds to end; the rest is for a busy machine


def up(home: Path) -> Cloud:
    return bring_up(home, os.environ, print, Clock())


def watching(home: Path, file: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", COMMAND, str(home), "--local", "score", str(file), "--watch"]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    "killed", [["emulator"], ["shim"], pytest.param(["emulator", "shim"], marks=pytest.mark.slow)], ids="+".join
)
def test_the_cloud_comes_up_again_after_kill_9(tmp_path: Path, sample: list[bytes], killed: list[str]) -> None:
    home, body = tmp_path / "cloud", b"\n".join(sample) + b"\n"
    big = tmp_path / "big.csv"
    big.write_bytes(body * 600)
    cloud = launch(home, os.environ, print, Clock())
    try:
        first = Driver(cloud)
        done = first.ended(first.drop("input/done.csv", body))
        watch = watching(home, big)
        unfinished = _only_other_job(first, done.job_id)
        _until_running(first, unfinished)
        assert until(lambda: _is_saved_as_running(home, unfinished))
        for name in killed:
            os.kill(getattr(cloud, name).pid, signal.SIGKILL)
        began = time.monotonic()
        _, output = watch.communicate(timeout=GONE_SECONDS)
        assert watch.returncode == 4, output
        assert "the embedded cloud has ended" in output
        assert time.monotonic() - began < GONE_SECONDS / 2
        assert until(lambda: belonging_to(home) == []), "the model's server, the worker or a function still runs"
        assert not cloud.is_running

        again = Driver(up(home))
        assert find(home) == again.cloud
        assert again.cloud.outputs == cloud.outputs
        assert again.find(done.job_id) == done
        assert len(again.read(done.output_key).splitlines()) == len(sample)
        resumed = again.ended(unfinished, 180)
        assert (resumed.status, resumed.rows) == (State.SUCCEEDED, 600 * len(sample)), resumed
        assert again.ended(again.drop("input/new.csv", body)).status is State.SUCCEEDED
    finally:
        (find(home) or cloud).stop()
    assert until(lambda: belonging_to(home) == [])


def _is_saved_as_running(home: Path, job_id: str) -> bool:
    """The table's current state is on disk; the emulator writes no other blanks into it."""
    _, _, after = (home / "emulator" / "dynamodb.json").read_text().partition(f'"job_id": {{"S": "{job_id}"}}')
    return '"status": {"S": "RUNNING"}' in after


def _only_other_job(driver: Driver, other_than: str) -> str:
    found: list[str] = []

    def is_there() -> bool:
        items = driver.client("dynamodb").scan(TableName=driver.cloud.outputs["JobsTableName"])["Items"]
        found[:] = [item["job_id"]["S"] for item in items if item["job_id"]["S"] != other_than]
        return bool(found)

    assert until(is_there)
    return found[0]


@pytest.mark.parametrize("moment", ["deploying dropscore-dev-hosting", "the model's server"])
def test_nothing_is_left_of_an_up_that_is_killed(tmp_path: Path, sample: list[bytes], moment: str) -> None:
    home = tmp_path / "cloud"
    log = tmp_path / "up.log"
    with log.open("w") as log_file:
        starting = subprocess.Popen([sys.executable, "-c", UP, str(home)], stdout=log_file)
    assert until(lambda: moment in log.read_text() or (moment == "the model's server" and has_model_server(home)))
    starting.kill()
    starting.wait()
    assert until(lambda: belonging_to(home) == [])

    cloud = up(home)
    try:
        driver = Driver(cloud)
        job = driver.ended(driver.drop("input/after.csv", b"\n".join(sample) + b"\n"))
        assert job.status is State.SUCCEEDED
    finally:
        cloud.stop()
    assert until(lambda: belonging_to(home) == [])
