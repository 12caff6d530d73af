from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from dropscore.intake import Upload
from dropscore.jobs import State

from .conftest import Account


def _event(key: str) -> dict[str, Any]:
    thing = {"key": key, "size": 12, "etag": "e", "version-id": "v1", "sequencer": "1"}
    return {"detail-type": "Object Created", "detail": {"bucket": {"name": "bucket"}, "object": thing}}


def test_an_event_is_read_as_it_is() -> None:
    upload = Upload.from_event(_event("input/a b+c%20ü.csv"))
    assert upload == Upload(bucket="bucket", key="input/a b+c%20ü.csv", version_id="v1", size_bytes=12)


def test_an_event_without_a_version_is_an_error() -> None:
    event = _event("input/a.csv")
    del event["detail"]["object"]["version-id"]
    with pytest.raises(KeyError, match="version-id"):
        Upload.from_event(event)


def test_an_upload_becomes_one_job(account: Account) -> None:
    upload = account.put(b"1\n", "input/x/a b.csv")
    job = account.job(account.take(upload) or "")
    assert (job.status, job.batch_job_id, job.file, job.version_id) == (
        State.SUBMITTED,
        "batch-1",
        "input/x/a b.csv",
        upload.version_id,
    )
    assert (job.route, job.model, job.model_version) == ("default", "fraud", "0123456789ab")
    assert job.output_key.startswith("output/x/2")
    assert job.expires_at is not None
    assert 86_000 < job.expires_at - time.time() <= 86_400
    assert account.batch.submitted == [
        {
            "jobName": f"score-{job.job_id}",
            "jobQueue": "queue",
            "jobDefinition": "definition",
            "parameters": {"job_id": job.job_id},
        }
    ]


def test_the_same_event_again_changes_nothing(account: Account) -> None:
    upload = account.put(b"1\n")
    first = account.take(upload)
    before = account.job(first or "")
    assert account.take(upload) == first
    assert account.job(first or "") == before
    assert len(account.batch.submitted) == 1


def test_a_new_version_is_a_new_job(account: Account) -> None:
    assert account.take(account.put(b"1\n")) != account.take(account.put(b"2\n"))
    assert len(account.batch.submitted) == 2


def test_a_claim_that_was_never_submitted_is_submitted_by_the_next_event(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = account.put(b"1\n")
    with monkeypatch.context() as killed:
        killed.setattr(account.batch, "submit_job", lambda **_: (_ for _ in ()).throw(TimeoutError))
        with pytest.raises(TimeoutError):
            account.take(upload)
    job_id = account.take(upload)
    assert account.job(job_id or "").status is State.SUBMITTED


@pytest.mark.parametrize("key", ["input/", "input/a.txt", "output/a.csv", "other/a.csv"])
def test_what_is_not_an_input_is_ignored(account: Account, key: str) -> None:
    assert account.take(account.put(b"1\n", key)) is None
    assert account.batch.submitted == []


def test_another_bucket_is_ignored(account: Account) -> None:
    assert account.take(replace(account.put(b"1\n"), bucket="other")) is None
