"""What is found where events were lost: files without a job, claims without a submission, ends without a word."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from dropscore.events.reconcile import Reconciliation
from dropscore.jobs.job import Job, State
from dropscore.settings import ReconcileSettings
from tests.emf import metrics_of
from tests.unit.dropscore.conftest import BUCKET, Account, aws_error

LATER = timedelta(hours=1)


class FakeBatch:
    """Says of each Batch job what it was told to say."""

    def __init__(self, **statuses: str) -> None:
        self.statuses = statuses

    def describe_jobs(self, *, jobs: list[str]) -> dict[str, Any]:
        known = [job for job in jobs if job in self.statuses]
        return {"jobs": [{"jobId": job, "status": self.statuses[job], "parameters": {}} for job in known]}


def _run(account: Account, batch: FakeBatch | None = None, after: timedelta = LATER) -> dict[str, int]:
    settings = ReconcileSettings(bucket=BUCKET, environment="test", window_hours=48, grace_minutes=15)
    one = Reconciliation(
        settings=settings,
        table=account.table,
        s3=account.s3,
        batch=batch or FakeBatch(),  # type: ignore[arg-type]
        submitter=account.submitter(),
    )
    return one.run(datetime.now(UTC) + after)


def test_a_file_whose_event_was_lost_is_found_and_scored(account: Account) -> None:
    first, second = account.put(b"1\n"), account.put(b"2\n")  # two versions of one file
    account.put(b"nobody's\n", "input/_SUCCESS")
    assert _run(account) == {"unsubmitted": 0, "ended": 0, "lost": 2}
    assert [account.job(upload.job_id).status for upload in (first, second)] == [State.SUBMITTED] * 2
    assert len(account.batch.submitted) == 2


def test_a_search_that_fails_keeps_no_other_waiting(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    class Throttled(FakeBatch):
        def describe_jobs(self, **_: Any) -> dict[str, Any]:
            raise aws_error("ThrottlingException")

    claimed = _cut_short(account, monkeypatch, 0)
    started = account.take(account.put(b"1\n")) or ""
    lost = account.put(b"3\n")
    with pytest.raises(ClientError, match="Throttling"):
        _run(account, Throttled())
    states = [account.job(one).status for one in (started, claimed.job_id, lost.job_id)]
    assert states == [State.SUBMITTED] * 3


def test_a_file_that_is_no_input_is_rejected_though_its_event_was_lost(account: Account) -> None:
    upload = account.put(b"no input\n", "input/readme.txt")
    assert _run(account)["lost"] == 1
    assert account.job(upload.job_id).code == "NOT_AN_INPUT"
    assert _run(account)["lost"] == 0


def test_what_has_its_job_is_let_be(account: Account) -> None:
    job_id = account.take(account.put(b"1\n")) or ""
    account.worker().score(job_id)
    before = account.job(job_id)
    assert _run(account) == {"unsubmitted": 0, "ended": 0, "lost": 0}
    assert account.job(job_id) == before


@pytest.mark.parametrize("after", [timedelta(minutes=5), timedelta(hours=49)])
def test_what_is_too_young_or_too_old_is_let_be(account: Account, after: timedelta) -> None:
    account.put(b"1\n")
    assert _run(account, after=after)["lost"] == 0
    assert account.batch.submitted == []


def test_more_files_than_one_request_holds_are_looked_at(account: Account) -> None:
    taken = [account.put(b"1\n", f"input/{number}.csv") for number in range(230)]
    for upload in taken[:150]:
        account.take(upload)
    batch = FakeBatch(**{f"batch-{number}": "RUNNING" for number in range(1, 151)})
    assert _run(account, batch) == {"unsubmitted": 0, "ended": 0, "lost": 80}


def _cut_short(account: Account, monkeypatch: pytest.MonkeyPatch, submissions: int) -> Job:
    """A job whose `submit` died after so many submissions."""
    upload = account.put(b"".join(b"%d\n" % row for row in range(90)))
    submit, done = account.batch.submit_job, 0

    def dying(**request: Any) -> dict[str, str]:
        nonlocal done
        if done == submissions:
            raise TimeoutError
        done += 1
        return submit(**request)

    with monkeypatch.context() as killed:
        killed.setattr(account.batch, "submit_job", dying)
        with pytest.raises(TimeoutError):
            account.take(upload)
    return account.job(upload.job_id)


def test_a_claim_that_was_never_submitted_is_submitted(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    job = _cut_short(account, monkeypatch, 0)
    assert _run(account) == {"unsubmitted": 1, "ended": 0, "lost": 0}
    assert (account.job(job.job_id).status, account.job(job.job_id).batch_job_id) == (State.SUBMITTED, "batch-1")


def test_shards_at_work_that_nobody_would_publish_get_a_publisher(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.shard_bytes = 100
    job = _cut_short(account, monkeypatch, 1)  # the array was submitted, the publisher was not
    for index in range(job.shards):
        account.worker(f"batch-1:{index}").score_shard(job.job_id, index)
    assert account.job(job.job_id).status is State.RUNNING
    assert _run(account)["unsubmitted"] == 1
    job = account.job(job.job_id)
    assert (job.status, job.array_job_id, job.batch_job_id) == (State.RUNNING, "batch-2", "batch-3")
    assert _run(account, FakeBatch(**{"batch-3": "PENDING"})) == {"unsubmitted": 0, "ended": 0, "lost": 0}
    calls = account.model.calls
    account.worker("batch-2:0").score_shard(job.job_id, 0)
    account.worker("batch-3").publish(job.job_id)
    assert (account.job(job.job_id).status, account.model.calls) == (State.SUCCEEDED, calls)


@pytest.mark.parametrize(
    ("said", "code"),
    [({"batch-1": "FAILED"}, "BATCH_FAILED"), ({"batch-1": "SUCCEEDED"}, "NO_RESULT"), ({}, "BATCH_JOB_NOT_FOUND")],
)
def test_a_job_that_batch_has_ended_is_ended(account: Account, said: dict[str, str], code: str) -> None:
    job_id = account.take(account.put(b"1\n")) or ""
    batch = FakeBatch(**said)
    answer = batch.describe_jobs
    batch.describe_jobs = lambda *, jobs: {  # type: ignore[method-assign]
        "jobs": [{**one, "parameters": {"job_id": job_id}} for one in answer(jobs=jobs)["jobs"]]
    }
    assert _run(account, batch)["ended"] == (1 if said else 0)
    _run(account, batch, after=timedelta(hours=25))
    assert (account.job(job_id).status, account.job(job_id).code) == (State.FAILED, code)


@pytest.mark.parametrize("status", ["SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING"])
def test_a_job_that_batch_still_has_is_let_be(account: Account, status: str) -> None:
    job_id = account.take(account.put(b"1\n")) or ""
    assert _run(account, FakeBatch(**{"batch-1": status}))["ended"] == 0
    assert account.job(job_id).status is State.SUBMITTED


def test_one_file_that_cannot_be_taken_keeps_none_of_the_others_waiting(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads = [account.put(b"1\n", f"input/{number}.csv") for number in range(5)]
    submit = account.batch.submit_job

    def refusing(**request: Any) -> dict[str, str]:
        if request["parameters"]["job_id"] == uploads[0].job_id:
            raise aws_error("ClientException", "poison")
        return submit(**request)

    monkeypatch.setattr(account.batch, "submit_job", refusing)
    with pytest.raises(ClientError, match="poison"):
        _run(account)
    assert [account.job(upload.job_id).status for upload in uploads[1:]] == [State.SUBMITTED] * 4


def _measured(capsys: pytest.CaptureFixture[str]) -> dict[str, list[float]]:
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "OldestUnfinished" in line]
    return metrics_of(line)


def test_what_is_found_and_how_long_the_oldest_job_has_waited_is_measured(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.put(b"1\n", "input/lost.csv")
    _run(account)
    found = _measured(capsys)
    assert (found["ReconcileRepairs"], found["RepairsFailed"]) == ([1], [0])
    assert found["OldestWaiting"][0] == found["OldestUnfinished"][0] == pytest.approx(3600, abs=60)
    _run(account, FakeBatch(**{"batch-1": "RUNNING"}))
    assert _measured(capsys)["ReconcileRepairs"] == [0]


def test_a_running_job_is_unfinished_and_does_not_wait(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    job_id = account.take(account.put(b"1\n")) or ""
    account.table.start(job_id, batch_job_id="batch-1", attempt=1, started_at="2026-01-01T00:00:00.000Z")
    _run(account, FakeBatch(**{"batch-1": "RUNNING"}))
    found = _measured(capsys)
    assert found["OldestWaiting"] == [0]
    assert found["OldestUnfinished"] == pytest.approx([3600], abs=60)


def test_what_could_not_be_mended_is_measured_before_the_error(
    account: Account, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    account.put(b"1\n")
    monkeypatch.setattr(account.batch, "submit_job", lambda **_: (_ for _ in ()).throw(aws_error("ClientException")))
    with pytest.raises(ClientError):
        _run(account)
    assert _measured(capsys)["RepairsFailed"] == [1]


def test_nothing_waits_where_all_have_ended(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    account.worker().score(account.take(account.put(b"1\n")) or "")
    capsys.readouterr()
    _run(account)
    found = _measured(capsys)
    assert (found["OldestWaiting"], found["OldestUnfinished"], found["ReconcileRepairs"]) == ([0], [0], [0])
