"""What stands under output/ after a kill in the midst of publication, and whose it is."""

from __future__ import annotations

import pytest

from dropscore.aws import objects
from dropscore.errors import PermanentError
from dropscore.jobs.job import Job, State
from dropscore.jobs.options import Options
from dropscore.jobs.routes import errors_key
from tests.unit.dropscore.conftest import BUCKET, Account, model_error

ROWS = b"".join(b"%d\n" % row for row in range(40))


def _taken(account: Account, data: bytes = ROWS, key: str = "input/a.csv") -> Job:
    return account.job(account.take(account.put(data, key)) or "")


@pytest.fixture
def bad(account: Account) -> Job:
    """A job of a file whose fourth row is bad, which its route bears."""

    def refuse(body: bytes) -> None:
        if b"3" in body.split():
            raise model_error(400, {"code": "NOT_A_NUMBER", "row": body.split().index(b"3") + 1})

    account.model.fail = refuse
    account.options = Options(max_bad_rows=1)
    return _taken(account)


def _killed(account: Account, job: Job, key: str, *, is_written: bool) -> None:
    """A first attempt, killed just before or just after the object at `key` appears."""
    commit = objects.Writer.commit

    def dying(writer: objects.Writer) -> bool:
        if writer.key != key:
            return commit(writer)
        if is_written:
            commit(writer)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as killed:
        killed.setattr(objects.Writer, "commit", dying)
        with pytest.raises(KeyboardInterrupt):
            account.worker().score(job.job_id)


def _is_whole(account: Account, job: Job) -> None:
    job = account.job(job.job_id)
    assert (job.status, job.rows, job.rows_rejected) == (State.SUCCEEDED, 40, 1)
    listed = account.outputs()[errors_key(job.output_key)]
    assert listed.splitlines()[1:] == [b'4,6,NOT_A_NUMBER,"a cell is not a number",4,,']
    said = account.manifest(job)
    assert (said["rows"]["rejected"], said["errors"]["key"]) == (1, errors_key(job.output_key))


def test_a_kill_before_the_scores_appear_leaves_nothing_to_see(account: Account, bad: Job) -> None:
    _killed(account, bad, bad.output_key, is_written=False)
    assert account.outputs() == {}
    account.worker(attempt=2).score(bad.job_id)
    _is_whole(account, bad)


def test_what_belongs_to_scores_that_have_appeared_is_brought_by_the_next_attempt(account: Account, bad: Job) -> None:
    _killed(account, bad, bad.output_key, is_written=True)
    assert list(account.outputs()) == [bad.output_key]
    calls = account.model.calls
    account.worker(attempt=2).score(bad.job_id)
    _is_whole(account, bad)
    assert account.model.calls == calls


@pytest.mark.parametrize("is_written", [False, True])
def test_a_kill_at_the_list_of_bad_rows_loses_nothing(account: Account, bad: Job, *, is_written: bool) -> None:
    _killed(account, bad, errors_key(bad.output_key), is_written=is_written)
    account.worker(attempt=2).score(bad.job_id)
    _is_whole(account, bad)


def test_the_output_of_another_job_is_left_alone(account: Account) -> None:
    first, second = _taken(account), _taken(account, b"7\n", "input/b.csv")
    account.worker().score(first.job_id)
    source = {"Bucket": BUCKET, "Key": first.output_key}
    account.s3.copy_object(Bucket=BUCKET, Key=second.output_key, CopySource=source)  # type: ignore[arg-type]
    there = account.outputs()
    with pytest.raises(PermanentError, match="OUTPUT_EXISTS"):
        account.worker("batch-2").score(second.job_id)
    second = account.job(second.job_id)
    assert (second.status, second.code, account.outputs()) == (State.FAILED, "OUTPUT_EXISTS", there)
