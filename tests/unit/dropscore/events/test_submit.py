from __future__ import annotations

import gzip
import time
from dataclasses import replace
from typing import Any

import pytest

from dropscore.errors import RejectedError
from dropscore.events.submit import RetryRequest, Upload
from dropscore.jobs.job import Job, State
from dropscore.jobs.options import Options
from tests.unit.dropscore.conftest import Account, model_error


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
            "shareIdentifier": "scoring",
            "schedulingPriorityOverride": 0,
            "parameters": {"job_id": job.job_id, "run": "1"},
            "tags": {"dropscore:env": "test"},
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


@pytest.mark.parametrize("key", ["input/x/", "input/_SUCCESS", "input/._a.csv", "output/a.csv", "other/a.csv"])
def test_an_object_that_is_nobodys_file_is_ignored(account: Account, key: str) -> None:
    account.names = ("*",)
    upload = account.put(b"1\n", key)
    assert account.take(upload) is None
    with pytest.raises(RejectedError, match="NOT_AN_INPUT"):
        account.submitter().retry(upload, RetryRequest())
    assert account.table.find(upload.job_id) is None
    assert account.batch.submitted == []


@pytest.mark.parametrize("key", ["input/a.tsv", "input/x/0000_part_00", "input/000.gz"])
def test_a_file_that_fits_no_pattern_is_rejected_once(account: Account, key: str) -> None:
    upload = account.put(b"1\n", key)
    job = account.job(account.take(upload) or "")
    assert (job.status, job.code, job.file) == (State.REJECTED, "NOT_AN_INPUT", key)
    assert "'*.csv', '*.csv.gz', which `names` of [inputs] in dropscore.toml lists" in (job.message or "")
    assert job.finished_at is not None
    account.take(upload)
    assert account.job(job.job_id) == job
    assert account.batch.submitted == []


def test_a_file_is_scored_once_the_settings_list_it(account: Account) -> None:
    upload = account.put(b"1\n2\n", "input/x/0000_part_00")
    account.take(upload)
    account.names = ("*_part_*",)
    account.submitter().retry(upload, RetryRequest())
    job = account.job(upload.job_id)
    assert (job.status, job.run, job.code, job.message) == (State.SUBMITTED, 2, None, None)
    account.worker().score(job.job_id)
    job = account.job(upload.job_id)
    assert job.status is State.SUCCEEDED
    assert account.outputs() == {job.output_key: b"0.1\n0.2\n"}
    assert job.output_key.endswith("Z-0000_part_00.csv")
    assert account.manifest(job)["input"]["key"] == "input/x/0000_part_00"


def test_a_packed_file_without_csv_in_its_name_is_unpacked(account: Account) -> None:
    account.names = ("*",)
    upload = account.put(gzip.compress(b"1\n2\n"), "input/000.gz")
    account.worker().score(account.take(upload) or "")
    assert list(account.outputs().values()) == [b"0.1\n0.2\n"]


@pytest.mark.parametrize(
    ("key", "sidecar", "code"),
    [("input/a.csv", "{", "INVALID_OPTIONS"), ("input/a.tsv", "{}", "NOT_AN_INPUT")],
)
def test_a_refusal_is_written_by_the_claim_itself(
    account: Account, monkeypatch: pytest.MonkeyPatch, key: str, sidecar: str, code: str
) -> None:
    """A function that is killed in between leaves no claim that nobody will submit."""
    account.options = Options(header=True)
    account.put(sidecar.encode(), f"{key}.job.json")
    upload = account.put(b"a\n1\n", key)
    monkeypatch.setattr(account.table, "_update", lambda *_, **__: pytest.fail("a second write"))
    account.take(upload)
    job = account.job(upload.job_id)
    assert (job.status, job.code, job.finished_at is None) == (State.REJECTED, code, False)
    assert account.batch.submitted == []


def test_another_bucket_is_ignored(account: Account) -> None:
    assert account.take(replace(account.put(b"1\n"), bucket="other")) is None


@pytest.mark.parametrize(
    ("data", "options", "code"),
    [
        (b"", Options(), "EMPTY_FILE"),
        (b"a,b\n", Options(header=True), "EMPTY_FILE"),
        (b"3,2\n", Options(columns=("x",)), "COLUMNS_NEED_HEADER"),
        ("1,2\n".encode("utf-16"), Options(), "ENCODING"),
    ],
)
def test_a_hopeless_file_is_rejected_before_batch_hears_of_it(
    account: Account, data: bytes, options: Options, code: str
) -> None:
    account.options = options
    job = account.job(account.take(account.put(data)) or "")
    assert (job.status, job.code) == (State.REJECTED, code)
    assert job.finished_at is not None
    assert account.batch.submitted == []


def test_a_file_that_is_gone_already_fails(account: Account) -> None:
    upload = account.put(b"1\n")
    account.s3.delete_object(Bucket=upload.bucket, Key=upload.key, VersionId=upload.version_id)
    job = account.job(account.take(upload) or "")
    assert (job.status, job.code) == (State.FAILED, "INPUT_NOT_FOUND")


def test_a_packed_file_is_looked_into(account: Account) -> None:
    job = account.job(account.take(account.put(gzip.compress(b"1\n"), "input/a.csv.gz")) or "")
    assert (job.status, job.shards) == (State.SUBMITTED, 1)
    assert job.output_key.endswith("Z-a.csv")
    broken = account.job(account.take(account.put(b"1\n", "input/b.csv.gz")) or "")
    assert (broken.status, broken.code) == (State.REJECTED, "GZIP_BROKEN")


def _sidecar(account: Account, said: str) -> None:
    account.put(said.encode(), "input/a.csv.job.json")


def test_a_sidecar_has_its_word_over_the_routes(account: Account) -> None:
    account.options = Options(header=False, max_bad_rows=3)
    _sidecar(account, '{"header": true, "model": "fraud"}')
    job = account.job(account.take(account.put(b"a\n1\n")) or "")
    assert job.status is State.SUBMITTED
    assert job.parsed_options == Options(header=True, max_bad_rows=3)


def test_a_sidecar_that_comes_later_changes_nothing(account: Account) -> None:
    job_id = account.take(account.put(b"1\n")) or ""
    _sidecar(account, '{"max_bad_rows": 5}')
    account.take(Upload(bucket="bucket", key="input/a.csv", version_id=account.job(job_id).version_id, size_bytes=2))
    assert account.job(job_id).options == "{}"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("header: true", "is not JSON"),
        ('{"hedaer": true}', "did you mean header"),
        ('{"model": "none"}', "unknown model 'none'; available: fraud"),
        ('{"max_bad_rows": "all"}', "max_bad_rows"),
        ("[1]", "is not a JSON object"),
    ],
)
def test_a_sidecar_that_cannot_be_followed_rejects_the_file(account: Account, said: str, why: str) -> None:
    _sidecar(account, said)
    job = account.job(account.take(account.put(b"1\n")) or "")
    assert (job.status, job.code) == (State.REJECTED, "INVALID_OPTIONS")
    assert why in (job.message or "")
    assert "input/a.csv.job.json" in (job.message or "")
    assert account.batch.submitted == []


def test_a_claim_keeps_the_options_it_was_made_with(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    _sidecar(account, '{"max_bad_rows": 5}')
    upload = account.put(b"1\n")
    with monkeypatch.context() as killed:
        killed.setattr(account.batch, "submit_job", lambda **_: (_ for _ in ()).throw(TimeoutError))
        with pytest.raises(TimeoutError):
            account.take(upload)
    before = account.job(upload.job_id)
    _sidecar(account, '{"max_bad_rows": 6}')
    account.take(upload)
    assert account.job(upload.job_id).options == before.options == '{"max_bad_rows": 5}'
    assert account.job(upload.job_id).output_key == before.output_key


def _ended(account: Account, upload: Upload, code: str = "THROTTLED") -> Job:
    job = account.job(upload.job_id)
    assert account.table.end(
        job.job_id,
        run=1,
        status=State.FAILED,
        batch_job_id=job.batch_job_id or "",
        code=code,
        message="m",
        finished_at="t",
    )
    return job


def test_a_failed_job_runs_again_under_its_own_id(account: Account) -> None:
    upload = account.put(b"1\n2\n")
    account.take(upload)
    first = _ended(account, upload)
    assert account.submitter().retry(upload, RetryRequest()) == first.job_id
    again = account.job(first.job_id)
    assert (again.status, again.run, again.code) == (State.SUBMITTED, 2, None)
    assert again.output_key == first.output_key
    account.worker(again.batch_job_id or "").score(first.job_id)
    assert account.job(first.job_id).status is State.SUCCEEDED


def test_a_retry_takes_the_options_as_they_are_now(account: Account) -> None:
    upload = account.put(b"a\n")
    account.options = Options(header=True)
    account.take(upload)
    assert account.job(upload.job_id).code == "EMPTY_FILE"
    account.options = Options(header=False)
    account.submitter().retry(upload, RetryRequest())
    assert account.job(upload.job_id).status is State.SUBMITTED


def test_a_job_whose_row_has_expired_is_retried_from_the_file_alone(account: Account) -> None:
    upload = account.put(b"1\n")
    assert account.job(account.submitter().retry(upload, RetryRequest())).status is State.SUBMITTED


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (RetryRequest(), "NOTHING_TO_RETRY"),
        (RetryRequest(rejected_only=True), "NOTHING_TO_RETRY"),
        (RetryRequest(model="none"), "INVALID_OPTIONS"),
    ],
)
def test_a_job_that_succeeded_is_left_alone(account: Account, asked: RetryRequest, code: str) -> None:
    upload = account.put(b"1\n")
    account.worker().score(account.take(upload) or "")
    before = account.job(upload.job_id)
    with pytest.raises(RejectedError, match=code):
        account.submitter().retry(upload, asked)
    assert account.job(upload.job_id) == before


def test_a_job_under_way_is_not_retried(account: Account) -> None:
    upload = account.put(b"1\n")
    account.take(upload)
    with pytest.raises(RejectedError, match="JOB_IN_PROGRESS"):
        account.submitter().retry(upload, RetryRequest())
    assert len(account.batch.submitted) == 1


def test_another_model_is_another_job(account: Account) -> None:
    upload = account.put(b"1\n")
    account.worker().score(account.take(upload) or "")
    ids = [account.submitter().retry(upload, RetryRequest(model="fraud"))]
    assert account.job(ids[0]).status is State.SUBMITTED
    account.worker("batch-2").score(ids[0])
    ids.append(account.submitter().retry(upload, RetryRequest(model="fraud")))
    assert len({upload.job_id, *ids}) == 3
    assert len(account.outputs()) == 2


def test_only_the_rejected_rows_are_scored_again(account: Account) -> None:
    data = b"".join(b"%d\n" % row for row in range(10, 60))
    account.options = Options(max_bad_rows=9)
    refused = {b"13", b"14", b"47"}

    def refuse(body: bytes) -> None:
        for row, cell in enumerate(body.split(), 1):
            if cell in refused:
                raise model_error(400, {"code": "NOT_A_NUMBER", "row": row})

    account.model.fail = refuse
    upload = account.put(data)
    account.worker().score(account.take(upload) or "")
    assert account.job(upload.job_id).rows_rejected == 3
    refused.remove(b"13")
    refused.remove(b"47")
    calls = account.model.calls
    again = account.job(account.submitter().retry(upload, RetryRequest(rejected_only=True)))
    assert (again.job_id != upload.job_id, again.rejected_of) == (True, upload.job_id)
    account.worker("batch-2").score(again.job_id)
    again = account.job(again.job_id)
    assert (again.status, again.rows, again.rows_rejected) == (State.SUCCEEDED, 3, 1)
    assert account.outputs()[again.output_key] == b"0.13\n\n0.47\n"
    assert account.model.calls - calls == 3


def test_a_claim_is_submitted_by_the_plan_it_was_made_with(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.shard_bytes = 2
    upload = account.put(b"1\n2\n3\n")
    with monkeypatch.context() as killed:
        killed.setattr(account.batch, "submit_job", lambda **_: (_ for _ in ()).throw(TimeoutError))
        with pytest.raises(TimeoutError):
            account.take(upload)
    account.shard_bytes = 1 << 20
    account.take(upload)
    assert account.batch.submitted[0].get("arrayProperties") == {"size": 3}


def test_a_key_that_leaves_no_room_for_its_outputs_is_rejected(account: Account) -> None:
    fits, too_long = (f"input/{'x' * (size - len('input/.csv'))}.csv" for size in (987, 988))
    assert account.job(account.take(account.put(b"1\n", fits)) or "").status is State.SUBMITTED
    job = account.job(account.take(account.put(b"1\n", too_long)) or "")
    assert (job.status, job.code) == (State.REJECTED, "KEY_TOO_LONG")
    assert "1 bytes shorter" in (job.message or "")
