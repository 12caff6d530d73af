from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from dropscore.events.submit import RetryRequest
from dropscore.events.track import BatchChange, track
from dropscore.jobs.job import State
from tests.unit.dropscore.conftest import Account

GIVEN_UP = "Canceled by JobStateTimeLimit action due to reason"


def _event(
    job_id: str,
    status: str,
    said: str = "",
    batch_job_id: str = "batch-1",
    container: Mapping[str, Any] | None = None,
) -> BatchChange:
    detail = {
        "jobId": batch_job_id,
        "status": status,
        "statusReason": said,
        "parameters": {"job_id": job_id},
        "attempts": [{"container": container or {}}],
    }
    return BatchChange.from_event({"detail-type": "Batch Job State Change", "detail": detail})


@pytest.mark.parametrize(
    ("reason", "container", "code"),
    [
        ("Essential container in task exited", {"exitCode": 1, "logStreamName": "s"}, "BATCH_FAILED"),
        ("x", {"exitCode": 137, "reason": "OutOfMemoryError: Container killed"}, "OUT_OF_MEMORY"),
        ("Task failed to start", {"reason": "CannotPullContainerError: denied"}, "IMAGE_PULL"),
        ("Host EC2 (instance i-1) terminated.", {}, "SPOT_RECLAIMED"),
        ("Your Spot Task was interrupted.", {}, "SPOT_RECLAIMED"),
        ("Job attempt duration exceeded timeout", {}, "TIMEOUT"),
        ("ResourceInitializationError: unable to pull registry auth", {}, "START_FAILED"),
        ("Task failed to start", {"reason": "DockerTimeoutError: Could not transition to created"}, "START_FAILED"),
        (f"{GIVEN_UP}: CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY", {}, "NO_CAPACITY"),
        (f"{GIVEN_UP}: MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE", {}, "RESOURCES_UNSATISFIABLE"),
        (f"{GIVEN_UP}: MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT", {}, "RESOURCES_UNSATISFIABLE"),
    ],
)
def test_a_failure_the_worker_could_not_tell_is_told_with_batchs_reason(
    account: Account, reason: str, container: dict[str, Any], code: str
) -> None:
    job_id = account.take(account.put(b"1\n")) or ""
    track(_event(job_id, "FAILED", reason, container=container), account.table, account.finish)
    job = account.job(job_id)
    assert (job.status, job.code) == (State.FAILED, code)
    assert job.message is not None
    assert reason in job.message
    assert all(str(value) in job.message for value in container.values())
    assert job.finished_at is not None


def test_a_shard_that_was_given_up_ends_its_job(account: Account) -> None:
    job_id = _array(account)
    reason = f"{GIVEN_UP}: CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY"
    detail = {"jobId": "batch-1:0", "status": "FAILED", "statusReason": reason, "arrayProperties": {"index": 0}}
    change = BatchChange.from_event({"detail": {**detail, "parameters": {"job_id": job_id}}})
    assert track(change, account.table, account.finish)
    job = account.job(job_id)
    assert (job.status, job.code) == (State.FAILED, "NO_CAPACITY")
    assert "worker.queue_timeout_minutes" in (job.message or "")


def test_a_worker_that_ends_without_a_word_is_a_failure(account: Account) -> None:
    job_id = account.take(account.put(b"1\n")) or ""
    track(_event(job_id, "SUCCEEDED"), account.table, account.finish)
    assert (account.job(job_id).status, account.job(job_id).code) == (State.FAILED, "NO_RESULT")


def test_late_word_of_a_finished_job_changes_nothing(account: Account) -> None:
    job_id = account.take(account.put(b"1\n")) or ""
    account.worker().score(job_id)
    before = account.job(job_id)
    for status in ("FAILED", "SUCCEEDED", "RUNNING"):
        track(_event(job_id, status), account.table, account.finish)
    assert account.job(job_id) == before


def test_word_of_a_batch_job_that_does_not_own_the_job_changes_nothing(account: Account) -> None:
    job_id = account.take(account.put(b"1\n")) or ""
    track(_event(job_id, "FAILED", batch_job_id="batch-2"), account.table, account.finish)
    assert account.job(job_id).status is State.SUBMITTED


@pytest.mark.parametrize("status", ["SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING"])
def test_states_on_the_way_change_nothing(account: Account, status: str) -> None:
    job_id = account.take(account.put(b"1\n")) or ""
    before = account.job(job_id)
    track(_event(job_id, status), account.table, account.finish)
    assert account.job(job_id) == before


def test_a_job_that_is_not_ours_is_passed_over(account: Account) -> None:
    track(BatchChange.from_event({"detail": {"jobId": "x", "status": "FAILED"}}), account.table, account.finish)


def _array(account: Account) -> str:
    """A job of three shards: the array is batch-1, the job that publishes batch-2."""
    account.shard_bytes = 2
    return account.take(account.put(b"1\n2\n3\n")) or ""


def _change(job_id: str, batch_job_id: str, status: str, array: Mapping[str, int]) -> BatchChange:
    detail = {
        "jobId": batch_job_id,
        "status": status,
        "parameters": {"job_id": job_id},
        "arrayProperties": array,
    }
    return BatchChange.from_event({"detail": detail})


@pytest.mark.parametrize(("batch_job_id", "array"), [("batch-1", {"size": 3}), ("batch-1:2", {"index": 2})])
def test_shards_that_are_done_are_not_the_jobs_end(
    account: Account, batch_job_id: str, array: Mapping[str, int]
) -> None:
    job_id = _array(account)
    track(_change(job_id, batch_job_id, "SUCCEEDED", array), account.table, account.finish)
    assert account.job(job_id).status is State.SUBMITTED


def test_a_shard_that_failed_ends_the_job_and_is_named(account: Account) -> None:
    job_id = _array(account)
    track(_change(job_id, "batch-1:2", "FAILED", {"index": 2}), account.table, account.finish)
    job = account.job(job_id)
    assert (job.status, job.code) == (State.FAILED, "BATCH_FAILED")
    assert (job.message or "").startswith("shard 2: AWS Batch: ")


def test_an_output_whose_job_could_not_say_so_any_more_is_a_success(account: Account) -> None:
    job_id = account.take(account.put(b"1\n")) or ""

    def deaf(*_: object, **__: object) -> bool:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("dropscore.scoring.worker.Worker._report", deaf)
        with pytest.raises(KeyboardInterrupt):
            account.worker().score(job_id)
    track(_event(job_id, "FAILED"), account.table, account.finish)
    job = account.job(job_id)
    assert (job.status, job.code, job.rows, job.rows_scored) == (State.SUCCEEDED, None, 1, 1)


def test_a_strangers_output_is_the_cause_of_a_failure(account: Account) -> None:
    job_id = account.take(account.put(b"1\n")) or ""
    account.s3.put_object(Bucket="bucket", Key=account.job(job_id).output_key, Body=b"theirs")
    track(_event(job_id, "FAILED"), account.table, account.finish)
    assert (account.job(job_id).status, account.job(job_id).code) == (State.FAILED, "OUTPUT_EXISTS")


def test_word_of_an_earlier_run_ends_nothing(account: Account) -> None:
    upload = account.put(b"1\n")
    job_id = account.take(upload) or ""
    failed = _event(job_id, "FAILED")
    track(failed, account.table, account.finish)
    with pytest.MonkeyPatch.context() as patched:  # the next run is claimed, and not yet submitted
        patched.setattr(account.batch, "submit_job", lambda **_: (_ for _ in ()).throw(TimeoutError))
        with pytest.raises(TimeoutError):
            account.submitter().retry(upload, RetryRequest())
    track(failed, account.table, account.finish)
    assert (account.job(job_id).status, account.job(job_id).run) == (State.CLAIMED, 2)
