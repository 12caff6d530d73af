from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dropscore.clock import timestamp
from dropscore.errors import IllegalMoveError
from dropscore.jobs.job import ENDS, Job, State, job_id, may_move_to

JOB = Job(
    job_id="j",
    file="input/a.csv",
    version_id="v",
    route="default",
    model="fraud",
    model_version="abc",
    status=State.CLAIMED,
    submitted_at="2026-11-21T01:40:19.123Z",
    output_key="output/a.csv",
    size_bytes=1,
)


def test_job_id_names_bucket_key_and_version() -> None:
    ids = {job_id("b", "k", "v"), job_id("b2", "k", "v"), job_id("b", "k2", "v"), job_id("b", "k", "v2")}
    assert len(ids) == 4
    assert job_id("b", "k", "v") == job_id("b", "k", "v")
    assert job_id("a", "bc", "v") != job_id("ab", "c", "v")


def test_a_job_moves_along_the_drawn_lines() -> None:
    running = JOB.move_to(State.SUBMITTED).move_to(State.RUNNING, attempt=1)
    assert running.move_to(State.RUNNING, attempt=2).move_to(State.SUCCEEDED).status is State.SUCCEEDED
    assert running.attempt == 1


@pytest.mark.parametrize("final", [State.SUCCEEDED, *sorted(ENDS)])
def test_nothing_moves_out_of_a_final_state_but_a_retry(final: State) -> None:
    assert final.is_final
    ended = JOB.move_to(State.RUNNING).move_to(final)
    for state in set(State) - ({State.CLAIMED} if final in ENDS else set()):
        with pytest.raises(IllegalMoveError, match=f"from {final} to {state}"):
            ended.move_to(state)


def test_success_is_reached_from_running_alone() -> None:
    assert may_move_to(State.SUCCEEDED) == (State.RUNNING,)


def test_timestamps_sort_as_text() -> None:
    assert timestamp(datetime(2026, 1, 2, 3, 4, 5, 6000, UTC)) == "2026-01-02T03:04:05.006Z"
