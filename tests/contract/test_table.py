"""The guarantees of the jobs table, checked on every cloud of the tests."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dropscore.aws.table import JobsTable
from dropscore.errors import PermanentError
from dropscore.jobs.job import Job, State

ATTEMPT = {"batch_job_id": "batch-1", "attempt": 1, "started_at": "2026-11-21T01:41:00.000Z"}


def _started(table: JobsTable, job: Job) -> Job:
    assert table.claim(job)
    assert table.submitted(job.job_id, "batch-1")
    assert table.start(job.job_id, **ATTEMPT)  # type: ignore[arg-type]
    return replace(job, batch_job_id="batch-1", attempt=1)


def test_a_file_is_claimed_once(table: JobsTable, job: Job) -> None:
    assert table.claim(job)
    assert not table.claim(replace(job, model="other"))
    assert table.find(job.job_id) == job


def test_a_job_that_is_not_there_is_none(table: JobsTable) -> None:
    assert table.find("nothing") is None


def test_submission_is_recorded_only_on_a_claim(table: JobsTable, job: Job) -> None:
    _started(table, job)
    assert not table.submitted(job.job_id, "batch-2")
    found = table.find(job.job_id)
    assert found is not None
    assert (found.status, found.batch_job_id) == (State.RUNNING, "batch-1")


def test_another_batch_job_cannot_start_a_running_job(table: JobsTable, job: Job) -> None:
    _started(table, job)
    assert not table.start(job.job_id, batch_job_id="batch-2", attempt=1, started_at="t")


def test_the_next_attempt_of_the_same_batch_job_takes_over_and_starts_clean(table: JobsTable, job: Job) -> None:
    first = _started(table, job)
    assert table.report(first, rows_scored=5, code="THROTTLED", message="busy")
    assert table.start(job.job_id, batch_job_id="batch-1", attempt=2, started_at="t")
    found = table.find(job.job_id)
    assert found is not None
    assert (found.attempt, found.rows_scored, found.code, found.message) == (2, 0, None, None)


def test_a_stalled_attempt_that_wakes_up_writes_nothing(table: JobsTable, job: Job) -> None:
    first = _started(table, job)
    assert table.start(job.job_id, batch_job_id="batch-1", attempt=2, started_at="t")
    assert not table.report(first, status=State.SUCCEEDED, rows=1)
    assert not table.report(first, rows_scored=1)
    assert not table.start(job.job_id, **ATTEMPT)  # type: ignore[arg-type]


@pytest.mark.parametrize("final", [State.SUCCEEDED, State.FAILED, State.REJECTED])
def test_a_final_state_stays(table: JobsTable, job: Job, final: State) -> None:
    running = _started(table, job)
    assert table.report(running, status=final)
    assert not table.report(running, status=State.SUCCEEDED)
    assert not table.start(job.job_id, batch_job_id="batch-1", attempt=2, started_at="t")
    assert not table.end(
        job.job_id, run=1, status=State.FAILED, batch_job_id="batch-1", code="X", message="x", finished_at="t"
    )
    found = table.find(job.job_id)
    assert found is not None
    assert found.status is final


def test_batch_ends_a_job_and_the_workers_own_word_is_kept(table: JobsTable, job: Job) -> None:
    running = _started(table, job)
    assert table.report(running, code="MODEL_FAILED", message="500")
    assert table.end(
        job.job_id,
        run=1,
        status=State.FAILED,
        batch_job_id="batch-1",
        code="BATCH_FAILED",
        message="exit 75",
        finished_at="t",
    )
    found = table.find(job.job_id)
    assert found is not None
    assert (found.status, found.code, found.message) == (State.FAILED, "MODEL_FAILED", "500")


def test_a_batch_job_that_does_not_own_the_job_cannot_end_it(table: JobsTable, job: Job) -> None:
    _started(table, job)
    assert not table.end(
        job.job_id, run=1, status=State.FAILED, batch_job_id="batch-2", code="X", message="x", finished_at="t"
    )


def test_jobs_are_listed_newest_first_by_file_and_by_status(table: JobsTable, job: Job) -> None:
    for number in range(3):
        assert table.claim(replace(job, job_id=f"{number}", submitted_at=f"2026-11-2{number}T00:00:00.000Z"))
    assert table.claim(replace(job, job_id="other", file="input/other.csv", status=State.RUNNING))
    assert [found.job_id for found in table.by_file(job.file, limit=2)] == ["2", "1"]
    assert [found.job_id for found in table.by_status(State.CLAIMED, limit=9)] == ["2", "1", "0"]


def test_a_fault_of_the_table_is_told_in_our_words(table: JobsTable, broken_table: JobsTable, job: Job) -> None:
    with pytest.raises(PermanentError, match="writing the jobs table"):
        broken_table.claim(job)


def test_the_smallest_body_limit_of_a_model_version_is_remembered(table: JobsTable) -> None:
    assert table.payload_limit("fraud", "v1") is None
    for limit in (4000, 1000, 2000):
        table.learn_payload_limit("fraud", "v1", limit)
    assert table.payload_limit("fraud", "v1") == 1000
    assert table.payload_limit("fraud", "v2") is None
    assert table.by_status(State.CLAIMED, limit=9) == []
