"""Many files at once: all jobs succeed, no event becomes a dead letter, and unsubmitted claims are completed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from dropscore.jobs.job import State
from tests.e2e.conftest import WAIT_SECONDS, Driver

BUSY = [sys.executable, "-c", "while True: pass"]


def test_files_that_come_at_once_are_all_scored(driver: Driver, sample: list[bytes]) -> None:
    _assert_all_scored(driver, sample, count=24, seconds=300)


@pytest.mark.slow
@pytest.mark.parametrize("busy_cores", [0, 2])
def test_two_hundred_files_at_once(driver: Driver, sample: list[bytes], busy_cores: int) -> None:
    with _load(busy_cores):
        _assert_all_scored(driver, sample, count=200, seconds=1800)


def test_claims_that_were_given_up_are_finished(driver: Driver, sample: list[bytes]) -> None:
    before = _dead_letters(driver)
    with driver.without(driver.role("IntakeSubmit"), "batch:SubmitJob"):
        jobs = [driver.drop(f"input/claimed-{number}.csv", _body(sample, number)) for number in range(4)]
        _wait_for_letters(driver, before + len(jobs))
    found = [driver.find(job) for job in jobs]
    assert [job and job.status for job in found] == [State.CLAIMED] * len(jobs)

    assert driver.reconcile()["unsubmitted"] == len(jobs)
    assert {driver.ended(job).status for job in jobs} == {State.SUCCEEDED}
    driver.client("sqs").purge_queue(QueueUrl=driver.cloud.outputs["DeadLetterQueueUrl"])


def _assert_all_scored(driver: Driver, sample: list[bytes], *, count: int, seconds: float) -> None:
    dead_letters = _dead_letters(driver)
    with ThreadPoolExecutor(32) as pool:
        jobs = list(pool.map(lambda n: driver.drop(f"input/crowd-{n}.csv", _body(sample, n)), range(count)))
    ended = [driver.ended(job, seconds) for job in jobs]
    assert Counter((job.status, job.code) for job in ended) == {(State.SUCCEEDED, None): count}
    assert [job.rows for job in ended] == [_rows(number) for number in range(count)]
    assert _dead_letters(driver) == dead_letters


def _body(sample: list[bytes], number: int) -> bytes:
    return b"\n".join(sample[: _rows(number)]) + b"\n"


def _rows(number: int) -> int:
    return 1 + number % 40


def _dead_letters(driver: Driver) -> int:
    queue, name = driver.cloud.outputs["DeadLetterQueueUrl"], "ApproximateNumberOfMessages"
    answer = driver.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=[name])
    return int(answer["Attributes"][name])


def _wait_for_letters(driver: Driver, count: int) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while _dead_letters(driver) < count:
        assert time.monotonic() < deadline, f"{_dead_letters(driver)} of {count} events are among the dead letters"
        time.sleep(0.2)


@contextmanager
def _load(processes: int) -> Iterator[None]:
    running = [subprocess.Popen(BUSY) for _ in range(processes)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()
