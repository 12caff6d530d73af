"""Parts that must not be put together, and when a part counts."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest

from dropscore.aws import objects
from dropscore.errors import PermanentError, RejectedError
from dropscore.jobs.job import Job, State
from dropscore.jobs.options import Options
from dropscore.output.parts import Parts
from dropscore.scoring import progress
from tests.unit.dropscore.conftest import BUCKET, Account, model_error

ROWS = b"".join(b"%d\n" % row for row in range(200))
SCORES = b"".join(b"0.%d\n" % row for row in range(200))


@pytest.fixture
def job(account: Account) -> Job:
    """Of seven shards."""
    account.shard_bytes = 100
    return account.job(account.take(account.put(ROWS)) or "")


def _score(account: Account, job: Job, *shards: int) -> None:
    for index in shards or range(job.shards):
        account.worker(f"batch-1:{index}").score_shard(job.job_id, index)


def _publish(account: Account, job: Job) -> Job:
    account.worker(job.batch_job_id or "").publish(job.job_id)
    return account.job(job.job_id)


def test_a_part_counts_only_once_its_scores_are_there(
    account: Account, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = objects.Writer.commit

    def dying(writer: objects.Writer) -> bool:
        if writer.key.endswith(".scores"):
            raise KeyboardInterrupt
        return commit(writer)

    monkeypatch.setattr(objects.Writer, "commit", dying)
    with pytest.raises(KeyboardInterrupt):
        _score(account, job, 3)
    assert Parts(s3=account.s3, bucket=BUCKET, job=job).by_version() == {}


def test_a_part_that_does_not_start_where_the_one_before_it_ends_is_not_used(account: Account, job: Job) -> None:
    _score(account, job, 0, 1, 2, 4, 5, 6)
    parts = Parts(s3=account.s3, bucket=BUCKET, job=job)
    of_two, of_four = (one for one in parts.by_version()[job.model_version].values() if one.index in (2, 4))
    parts.put(replace(of_two, index=3, start=of_two.end + 1, end=of_four.start))
    job = _publish(account, job)
    assert (job.status, job.rows, account.outputs()) == (State.SUCCEEDED, 200, {job.output_key: SCORES})


def test_a_first_bad_row_in_a_later_shard_is_named_by_its_number_in_the_file(account: Account, job: Job) -> None:
    def refuse(body: bytes) -> None:
        for row, cell in enumerate(body.split(), 1):
            if cell in (b"104", b"170"):
                raise model_error(400, {"code": "NOT_A_NUMBER", "row": row})

    account.model.fail = refuse
    account.options = Options(max_bad_rows=1)
    job = account.job(account.take(account.put(ROWS)) or "")
    _score(account, job)
    with pytest.raises(RejectedError, match=rf"row 105 \(line 105, at byte {ROWS.index(b'104')}\)"):
        _publish(account, job)


def test_shards_with_different_numbers_of_scores_are_not_put_together(
    account: Account, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def two_columns(*, Body: bytes, **_: str) -> dict[str, Any]:  # noqa: N803
        return {"Body": io.BytesIO(b"0.1,0.9\n" * len(Body.split()))}

    _score(account, job, 0, 1, 2, 3)
    monkeypatch.setattr(account.model, "invoke_endpoint", two_columns)
    _score(account, job, 4, 5, 6)
    with pytest.raises(PermanentError, match="BAD_RESPONSE"):
        _publish(account, job)
    assert account.outputs() == {}


def test_a_shard_stops_in_its_midst_when_the_job_ends(
    account: Account, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SHARD_SECONDS", 0.0)

    def end(_body: bytes) -> None:
        account.table.end(
            job.job_id, run=1, status=State.FAILED, batch_job_id="batch-1", code="X", message="x", finished_at="t"
        )

    account.model.fail = end
    _score(account, job, 3)
    assert account.model.calls < 5
    assert account.job(job.job_id).status is State.FAILED
    assert Parts(s3=account.s3, bucket=BUCKET, job=job).by_version() == {}
