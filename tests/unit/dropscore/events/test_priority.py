"""The route's priority reaches AWS Batch with every job of a file, by whichever way the job comes."""

from __future__ import annotations

from dropscore.events.submit import RetryRequest
from dropscore.events.track import BatchChange, track
from tests.unit.dropscore.conftest import Account

KEY = "input/urgent/a.csv"


def _asked(account: Account) -> list[tuple[str, int]]:
    return [(each["shareIdentifier"], each["schedulingPriorityOverride"]) for each in account.batch.submitted]


def test_a_file_has_its_routes_priority(account: Account) -> None:
    account.take(account.put(b"1\n", key=KEY))
    account.take(account.put(b"1\n"))
    assert _asked(account) == [("scoring", 9), ("scoring", 0)]


def test_all_jobs_are_of_one_share_since_priorities_count_within_a_share_only(account: Account) -> None:
    for key in (KEY, "input/a.csv", "input/other/b.csv"):
        account.take(account.put(b"1\n", key=key))
    assert {share for share, _ in _asked(account)} == {"scoring"}


def test_the_array_and_the_job_that_publishes_have_it_both(account: Account) -> None:
    account.shard_bytes = 2
    account.take(account.put(b"1\n2\n3\n", key=KEY))
    assert _asked(account) == [("scoring", 9)] * 2


def test_a_retry_has_the_priority_that_the_route_has_now(account: Account) -> None:
    upload = account.put(b"1\n", key=KEY)
    job_id = account.take(upload)
    failed = {"jobId": "batch-1", "status": "FAILED", "parameters": {"job_id": job_id}}
    assert track(BatchChange.from_event({"detail": failed}), account.table, account.finish)
    account.priority = 3
    account.submitter().retry(upload, RetryRequest())
    assert _asked(account) == [("scoring", 9), ("scoring", 3)]


def test_a_claim_that_reconcile_submits_has_it_too(account: Account) -> None:
    job_id = account.take(account.put(b"1\n", key=KEY))
    account.submitter().submit_claimed(account.job(job_id or ""))
    assert _asked(account) == [("scoring", 9)] * 2


def test_a_sidecar_may_not_say_it(account: Account) -> None:
    account.put(b'{"priority": 9}', key="input/a.csv.job.json")
    job = account.job(account.take(account.put(b"1\n")) or "")
    assert (job.code, account.batch.submitted) == ("INVALID_OPTIONS", [])
