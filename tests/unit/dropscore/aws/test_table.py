"""Words of shards and of people that come late: the jobs table takes none of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dropscore.aws.table import JobsTable
from dropscore.jobs.job import Job, State
from tests.unit.dropscore.conftest import Account
from tests.unit.dropscore.output.test_parts import JOB

CLAIMED = replace(JOB, status=State.CLAIMED)


@pytest.fixture
def table(account: Account) -> JobsTable:
    """One job is there, running."""
    account.table.claim(CLAIMED)
    account.table.submitted(JOB.job_id, "publish", "array")
    account.table.enter(JOB.job_id, started_at="t")
    return account.table


def _fail(table: JobsTable) -> None:
    assert table.end(
        JOB.job_id,
        run=_found(table).run,
        status=State.FAILED,
        batch_job_id="publish",
        code="X",
        message="x",
        finished_at="t",
    )


def _found(table: JobsTable) -> Job:
    found = table.find(JOB.job_id)
    assert found is not None
    return found


def test_a_shard_of_a_job_that_has_ended_writes_nothing(table: JobsTable) -> None:
    assert table.note(JOB, code="MODEL_FAILED")
    _fail(table)
    ended = _found(table)
    assert not table.note(JOB, code="ACCESS_DENIED", status=State.RUNNING)
    assert _found(table) == ended


def test_a_shard_of_an_earlier_run_writes_nothing(table: JobsTable) -> None:
    _fail(table)
    again = replace(CLAIMED, run=2)
    assert table.claim_again(again)
    assert table.enter(JOB.job_id, started_at="t") is not None
    assert not table.note(JOB, status=State.FAILED)
    assert table.note(again, code="MODEL_FAILED")
    assert _found(table).status is State.RUNNING


def test_of_two_retries_of_the_same_run_one_gets_through(table: JobsTable) -> None:
    _fail(table)
    assert table.claim_again(replace(CLAIMED, run=2))
    _fail(table)
    ended = _found(table)
    assert not table.claim_again(replace(CLAIMED, run=2))
    assert _found(table) == ended


def test_progress_is_added_to_a_running_run_alone(table: JobsTable) -> None:
    table.advance(JOB, 5)
    assert (_found(table).rows_scored, _found(table).shards_done) == (5, 1)
    _fail(table)
    table.advance(JOB, 5)
    assert _found(table).rows_scored == 5
    assert table.claim_again(replace(CLAIMED, run=2))
    table.enter(JOB.job_id, started_at="t")
    table.advance(JOB, 5)
    assert _found(table).rows_scored == 0
