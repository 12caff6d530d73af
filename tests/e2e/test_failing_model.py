"""A model that keeps dying: the job says what it waits for, and succeeds once the model lives."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from dropscore.jobs import Job, State
from tests.e2e.conftest import WAIT_SECONDS, Hands
from tests.e2e.test_processes import PROC, belonging_to

pytestmark = pytest.mark.skipif(not (PROC / "self").exists(), reason="needs /proc to find the model's process")


@contextmanager
def _dying_model(hands: Hands) -> Iterator[None]:
    """Every process of the model's server is killed as soon as it is there, for the time of a `with`."""
    over = threading.Event()
    model = f"SM_MODEL_DIR={hands.cloud.home}".encode()

    def kill() -> None:
        while not over.wait(0.02):
            for pid in belonging_to(hands.cloud.home):
                with suppress(OSError):
                    if model in (PROC / str(pid) / "environ").read_bytes():
                        os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        over.set()
        killer.join()


def _first_word(hands: Hands, identity: str) -> Job:
    deadline = time.monotonic() + 3 * WAIT_SECONDS
    while time.monotonic() < deadline:
        job = hands.find(identity)
        if job is not None and job.code:
            return job
        time.sleep(0.1)
    raise AssertionError(f"nothing was said of {hands.find(identity)}")


def test_job_of_a_dying_model_says_why_and_succeeds_once_the_model_lives(hands: Hands, sample: list[bytes]) -> None:
    body = b"\n".join(sample[:3]) + b"\n"
    with _dying_model(hands):
        identity = hands.drop("input/dying.csv", body)
        trying = _first_word(hands, identity)
        assert hands.outputs("dying.csv") == []
    ended = hands.ended(identity)

    assert (trying.status, trying.code) == (State.RUNNING, "AWS_BUSY")
    assert "the model's process is not up" in (trying.message or "")
    assert (ended.status, ended.code, ended.message) == (State.SUCCEEDED, None, None)
    assert ended.attempt >= trying.attempt >= 1
    assert len(hands.outputs("dying.csv")) == 1
