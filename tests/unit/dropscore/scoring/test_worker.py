"""Attempts at a job over moto and a fake model: what ends them, and what they leave behind."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from dropscore.errors import JobError, PermanentError, RejectedError, TransientError
from dropscore.jobs.job import State
from dropscore.jobs.options import Options
from dropscore.scoring import progress, scorer, worker
from tests.unit.dropscore.conftest import BUCKET, Account, aws_error, model_error

ROWS = b"".join(b"%d\n" % row for row in range(40))
SCORES = b"".join(b"0.%d\n" % row for row in range(40))


def _taken(account: Account, data: bytes = ROWS) -> str:
    job_id = account.take(account.put(data))
    assert job_id is not None
    return job_id


def _ends_with(account: Account, job_id: str, kind: type[JobError], code: str) -> str:
    with pytest.raises(kind) as caught:
        account.worker().score(job_id)
    job = account.job(job_id)
    assert (caught.value.code, job.code) == (code, code)
    assert account.outputs() == {}
    assert job.message is not None
    return job.message


def test_a_file_is_scored(account: Account) -> None:
    job_id = _taken(account)
    assert account.worker().score(job_id) is not None
    job = account.job(job_id)
    assert (job.status, job.rows, job.rows_scored, job.rows_rejected) == (State.SUCCEEDED, 40, 40, 0)
    assert account.outputs() == {job.output_key: SCORES}
    assert job.started_at is not None
    assert job.finished_at is not None
    assert job.started_at <= job.finished_at


def test_a_second_batch_job_for_the_same_file_does_nothing(account: Account) -> None:
    job_id = _taken(account)
    account.worker().score(job_id)
    calls = account.model.calls
    assert account.worker("batch-2").score(job_id) is None
    assert account.model.calls == calls
    assert len(account.outputs()) == 1


def test_an_attempt_after_a_kill_between_publication_and_status_only_says_so(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = _taken(account)
    with monkeypatch.context() as killed:
        killed.setattr(worker.Worker, "_report", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            account.worker().score(job_id)
    assert account.job(job_id).status is State.RUNNING
    calls = account.model.calls
    account.worker(attempt=2).score(job_id)
    job = account.job(job_id)
    assert (job.status, job.rows, account.model.calls) == (State.SUCCEEDED, 40, calls)
    assert account.outputs() == {job.output_key: SCORES}


def test_an_attempt_that_lost_the_job_stops_and_publishes_nothing(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = _taken(account)
    monkeypatch.setattr(progress, "WHOLE_SECONDS", 0.0)

    def taken_over(_body: bytes) -> None:
        account.table.start(job_id, batch_job_id="batch-1", attempt=2, started_at="t")

    account.model.fail = taken_over
    assert account.worker().score(job_id) is None
    assert account.outputs() == {}
    assert account.job(job_id).status is State.RUNNING


def test_an_attempt_that_was_replaced_while_its_last_body_stalled_publishes_nothing(account: Account) -> None:
    job_id = _taken(account)

    def stalled(body: bytes) -> None:
        if b"39" in body.split():
            account.table.start(job_id, batch_job_id="batch-1", attempt=2, started_at="t")

    account.model.fail = stalled
    assert account.worker().score(job_id) is None
    assert account.outputs() == {}
    assert account.job(job_id).status is State.RUNNING


def test_a_bad_row_rejects_the_file_by_the_rows_number_in_the_file(account: Account) -> None:
    def refuse(body: bytes) -> None:
        if b"17" in body.split():
            row = body.split().index(b"17") + 1
            raise model_error(400, {"code": "NOT_A_NUMBER", "row": row, "column": 1, "message": "secret-cell"})

    account.model.fail = refuse
    job_id = _taken(account)
    message = _ends_with(account, job_id, RejectedError, "NOT_A_NUMBER")
    assert message.startswith("row 18 (line 18, at byte 41): ")
    assert "a cell is not a number, column 1;" in message
    assert "secret" not in message
    assert account.job(job_id).status is State.REJECTED


@pytest.mark.parametrize(
    "said", ["row 1 is secret-cell", {"code": "SECRET_CELL", "row": "secret"}, ["secret"], {"row": 99}]
)
def test_a_foreign_containers_words_are_not_repeated(account: Account, said: Any) -> None:
    def refuse(_body: bytes) -> None:
        raise model_error(400, said)

    account.model.fail = refuse
    message = _ends_with(account, _taken(account), RejectedError, "BAD_ROW")
    assert "secret" not in message.lower()
    assert message.startswith("row 1 (line 1, at byte 0): ")


def test_a_failing_model_is_tried_again_by_the_next_attempt(account: Account) -> None:
    def fail(_body: bytes) -> None:
        raise model_error(500)

    account.model.fail = fail
    job_id = _taken(account)
    message = _ends_with(account, job_id, TransientError, "MODEL_FAILED")
    assert message.startswith("rows 1 to ")
    assert "returned HTTP 500" in message
    assert account.job(job_id).status is State.RUNNING
    account.model.fail = lambda _body: None
    account.worker(attempt=2).score(job_id)
    job = account.job(job_id)
    assert (job.status, job.code, job.message) == (State.SUCCEEDED, None, None)


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (aws_error("AccessDeniedException", "no sagemaker:InvokeEndpoint", 403), PermanentError, "ACCESS_DENIED"),
        (aws_error("ValidationError", "Endpoint x of account 1 not found."), PermanentError, "ENDPOINT_MISSING"),
        (aws_error("ValidationError", "size", 413), RejectedError, "ROW_TOO_LARGE"),
        (model_error(413), RejectedError, "ROW_TOO_LARGE"),
        (aws_error("ThrottlingException"), TransientError, "THROTTLED"),
        (aws_error("ModelNotReadyException", status=429), TransientError, "THROTTLED"),
        (aws_error("InternalFailure", status=500), TransientError, "THROTTLED"),
        (aws_error("Strange"), PermanentError, "AWS_ERROR"),
    ],
)
def test_each_fault_of_the_endpoint_has_its_code(
    account: Account, error: Exception, kind: type[JobError], code: str
) -> None:
    def fail(_body: bytes) -> None:
        raise error

    account.model.fail = fail
    _ends_with(account, _taken(account), kind, code)


def test_a_purged_version_fails_the_job(account: Account) -> None:
    upload = account.put(ROWS)
    job_id = account.take(upload) or ""
    account.put(b"newer\n")
    account.s3.delete_object(Bucket=BUCKET, Key=upload.key, VersionId=upload.version_id)
    _ends_with(account, job_id, PermanentError, "INPUT_NOT_FOUND")


def test_progress_is_written_as_bodies_come_back(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "WHOLE_SECONDS", 0.0)
    job_id, seen = _taken(account), set()

    def look(_body: bytes) -> None:
        seen.add(account.job(job_id).rows_scored)

    account.model.fail = look
    account.worker().score(job_id)
    assert len(seen) > 3


def test_the_model_that_scored_is_the_one_that_is_recorded(account: Account) -> None:
    job_id = _taken(account)
    account.model.version = "aaaaaaaaaaaa"
    account.worker().score(job_id)
    assert account.job(job_id).model_version == "aaaaaaaaaaaa"


def test_a_model_that_changes_in_mid_file_makes_the_next_attempt_score_the_whole_file(account: Account) -> None:
    account.model.version = "aaaaaaaaaaaa"

    def redeploy(body: bytes) -> None:
        if b"25" in body.split():
            account.model.version = "bbbbbbbbbbbb"

    account.model.fail = redeploy
    job_id = _taken(account)
    _ends_with(account, job_id, TransientError, "MODEL_CHANGED")
    calls = account.model.calls
    account.worker(attempt=2).score(job_id)
    job = account.job(job_id)
    assert (job.status, job.model_version) == (State.SUCCEEDED, "bbbbbbbbbbbb")
    assert account.model.calls - calls > 5
    assert account.outputs() == {job.output_key: SCORES}


def test_a_body_limit_that_was_learned_spares_the_next_job_the_refusals(account: Account) -> None:
    refused = 0

    def small(body: bytes) -> None:
        nonlocal refused
        if len(body) > 6:
            refused += 1
            raise aws_error("ValidationError", "too large", 413)

    account.model.fail = small
    first = _taken(account)
    account.worker().score(first)
    assert (account.job(first).status, refused > 0) == (State.SUCCEEDED, True)
    refused = 0
    second = _taken(account, ROWS + b"40\n")
    account.worker("batch-2").score(second)
    assert (account.job(second).rows, refused) == (41, 0)


def _refusing(account: Account, *numbers: int) -> None:
    def refuse(body: bytes) -> None:
        for row, cell in enumerate(body.split(), 1):
            if int(cell) in numbers:
                raise model_error(400, {"code": "NOT_A_NUMBER", "row": row, "column": 1, "message": "secret-cell"})

    account.model.fail = refuse


@pytest.mark.parametrize("allowed", [2, 40, "5%", "100%"])
def test_bad_rows_within_the_allowance_leave_empty_lines_and_a_list(account: Account, allowed: str | int) -> None:
    account.options = Options(max_bad_rows=allowed)
    _refusing(account, 3, 17)
    job_id = _taken(account)
    account.worker().score(job_id)
    job = account.job(job_id)
    assert (job.status, job.rows, job.rows_scored, job.rows_rejected) == (State.SUCCEEDED, 40, 38, 2)
    errors = job.output_key.removesuffix(".csv") + ".errors.csv"
    assert account.outputs() == {
        job.output_key: SCORES.replace(b"0.3\n", b"\n").replace(b"0.17\n", b"\n"),
        errors: b"row,offset,code,reason,line,column,column_name\n"
        b'4,6,NOT_A_NUMBER,"a cell is not a number, column 1",4,1,\n'
        b'18,41,NOT_A_NUMBER,"a cell is not a number, column 1",18,1,\n',
    }


@pytest.mark.parametrize("allowed", [1, "4.9%"])
def test_one_bad_row_more_than_allowed_rejects_the_file(account: Account, allowed: str | int) -> None:
    account.options = Options(max_bad_rows=allowed)
    _refusing(account, 3, 17)
    message = _ends_with(account, _taken(account), RejectedError, "NOT_A_NUMBER")
    assert message.startswith("row 4 (line 4, at byte 6): the model refused it: a cell is not a number, column 1.")
    assert f"max_bad_rows is {allowed}" in message


def test_a_killed_attempts_bad_rows_are_counted_by_the_next(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.options = Options(max_bad_rows=1)
    _refusing(account, 3)
    job_id = _taken(account)
    with monkeypatch.context() as killed:
        killed.setattr(worker.Worker, "_report", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            account.worker().score(job_id)
    account.worker(attempt=2).score(job_id)
    job = account.job(job_id)
    assert (job.status, job.rows, job.rows_scored, job.rows_rejected) == (State.SUCCEEDED, 40, 39, 1)


def test_the_table_says_what_is_waited_for_and_forgets_it_once_it_came(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "WHOLE_SECONDS", 0.0)
    monkeypatch.setattr(scorer, "LOOK_SECONDS", 0.01)
    job_id, said, tries = _taken(account), set(), 0

    def busy(body: bytes) -> None:
        nonlocal tries
        tries += b"39" in body.split()
        if 0 < tries < 30:
            time.sleep(0.01)
            said.add(account.job(job_id).code)
            raise aws_error("ModelNotReadyException", status=429)

    account.model.fail = busy
    assert account.worker().score(job_id) is not None
    assert said >= {"THROTTLED"}
    assert (account.job(job_id).status, account.job(job_id).code) == (State.SUCCEEDED, None)


def test_an_attempt_that_was_replaced_stops_while_it_waits(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "WHOLE_SECONDS", 0.0)
    monkeypatch.setattr(scorer, "LOOK_SECONDS", 0.01)
    job_id, over = _taken(account), threading.Event()

    def hang(_body: bytes) -> None:
        account.table.start(job_id, batch_job_id="batch-1", attempt=2, started_at="t")
        over.wait(20)

    account.model.fail = hang
    assert account.worker().score(job_id) is None
    assert not over.is_set()
    over.set()
    assert account.outputs() == {}
