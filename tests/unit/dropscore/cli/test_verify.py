"""`dropscore verify` against what a real worker published, and against what somebody did to it afterwards."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from dropscore.cli import verify
from dropscore.cli.deployment import Deployment
from dropscore.errors import JobFailedError
from dropscore.jobs.job import Job
from dropscore.jobs.options import Options
from dropscore.jobs.routes import errors_key, manifest_key
from tests.unit.dropscore.conftest import BUCKET, Account, model_error
from tests.unit.dropscore.conftest import account as account  # a fixture

ROWS = b"".join(b"%d\n" % row for row in range(100, 160))


@pytest.fixture(params=[1 << 20, 100])
def job(account: Account, request: pytest.FixtureRequest) -> Job:
    """A job of one shard, and one of three; row 3 and row 52 are bad."""

    def refuse(body: bytes) -> None:
        for row, cell in enumerate(body.split(), 1):
            if cell in (b"102", b"151"):
                raise model_error(400, {"code": "NOT_A_NUMBER", "row": row})

    account.model.fail = refuse
    account.shard_bytes, account.options = request.param, Options(max_bad_rows=2)
    job = account.job(account.take(account.put(ROWS)) or "")
    for index in range(job.shards if job.shards > 1 else 0):
        account.worker(f"batch-1:{index}").score_shard(job.job_id, index)
    last = account.worker(job.batch_job_id or "")
    last.publish(job.job_id) if job.shards > 1 else last.score(job.job_id)
    return account.job(job.job_id)


def _problems(account: Account, job: Job) -> list[str]:
    there = Deployment(
        s3=account.s3, bucket=BUCKET, table=account.table, outputs={}, find_scoring=lambda: pytest.fail("not needed")
    )
    return [finding.problem for finding in verify.verify_job(there, job, with_input=True) if finding.problem]


def _replace(account: Account, key: str, data: bytes) -> None:
    account.s3.put_object(Bucket=BUCKET, Key=key, Body=data)


def test_what_was_published_is_as_the_manifest_says(account: Account, job: Job) -> None:
    assert (job.rows, job.rows_rejected) == (60, 2)
    assert _problems(account, job) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda scores: scores.replace(b"0.100", b"0.101"), "part 0, .* from byte 0, has another SHA-256"),
        (lambda scores: scores[:-1], "it ends 1 bytes before the end of part"),
        (lambda scores: scores + b"0.9\n", "it goes on after its last part, at byte"),
        (lambda _scores: b"", "it ends .* bytes before the end of part 0"),
    ],
)
def test_scores_that_were_changed_are_found_out(account: Account, job: Job, change: Any, said: str) -> None:
    _replace(account, job.output_key, change(account.read(job.output_key)))
    (problem,) = _problems(account, job)
    assert re.search(said, problem), problem


def test_a_list_of_bad_rows_that_was_changed_is_found_out(account: Account, job: Job) -> None:
    _replace(account, errors_key(job.output_key), b"row,offset,code,reason\n")
    assert len(_problems(account, job)) == 1


def test_counts_that_differ_are_found_out(account: Account, job: Job) -> None:
    said = account.manifest(job)
    said["rows"]["in"] = 61
    _replace(account, manifest_key(job.output_key), json.dumps(said).encode())
    assert len(_problems(account, job)) == 2


def test_an_input_that_is_not_what_was_scored_is_found_out(account: Account, job: Job) -> None:
    said = account.manifest(job)
    said["input"]["parts"][-1]["sha256"] = "0" * 64
    _replace(account, manifest_key(job.output_key), json.dumps(said).encode())
    (problem,) = _problems(account, job)
    assert "has another SHA-256" in problem


def test_parts_with_a_gap_are_found_out(account: Account, job: Job) -> None:
    said = account.manifest(job)
    said["input"]["parts"].append({"start": 999, "end": 999, "sha256": "0" * 64})
    _replace(account, manifest_key(job.output_key), json.dumps(said).encode())
    (problem,) = _problems(account, job)
    assert "there are rows that are in no part or in two" in problem


@pytest.mark.parametrize(
    "change",
    [
        lambda _: b"not JSON",
        lambda _: b"[" * 100_000,
        lambda _: b"[]",
        lambda manifest: json.dumps({**manifest, "rows": 60}).encode(),
        lambda manifest: json.dumps({**manifest, "input": {"parts": []}}).encode(),
        lambda manifest: json.dumps({**manifest, "errors": ["a"]}).encode(),
        lambda manifest: json.dumps({**manifest, "output": {**manifest["output"], "parts": [{"bytes": "9"}]}}).encode(),
    ],
)
def test_a_manifest_that_was_changed_is_named(account: Account, job: Job, change: Any) -> None:
    key = manifest_key(job.output_key)
    _replace(account, key, change(account.manifest(job)))
    with pytest.raises(
        JobFailedError, match=f"{re.escape(key)} is not a manifest of Dropscore.*Restore its first version"
    ):
        _problems(account, job)
