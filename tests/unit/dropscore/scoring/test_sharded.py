"""Files of several shards over moto and a fake model: array children, parts, and the job that publishes them."""

from __future__ import annotations

import csv
import io
from hashlib import sha256

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dropscore.errors import JobError, PermanentError, RejectedError, TransientError
from dropscore.jobs.job import Job, State
from dropscore.jobs.options import Options
from dropscore.jobs.routes import errors_key
from tests.unit.dropscore.conftest import Account, model_error

ROWS = b"".join(b"%d\n" % row for row in range(200))  # 690 bytes
SCORES = b"".join(b"0.%d\n" % row for row in range(200))


@pytest.fixture
def sharded(account: Account) -> Account:
    account.shard_bytes = 100
    return account


def _taken(account: Account, data: bytes = ROWS) -> Job:
    return account.job(account.take(account.put(data)) or "")


def _shard(account: Account, job: Job, index: int, attempt: int = 1) -> None:
    account.worker(f"batch-1:{index}", attempt).score_shard(job.job_id, index)


def _publish(account: Account, job: Job, attempt: int = 1) -> Job:
    account.worker("batch-2", attempt).publish(job.job_id)
    return account.job(job.job_id)


def _run(account: Account, job: Job) -> Job:
    for index in reversed(range(job.shards)):
        _shard(account, job, index)
    return _publish(account, job)


def test_a_large_file_becomes_an_array_and_a_job_that_publishes(sharded: Account) -> None:
    job = _taken(sharded)
    array, last = sharded.batch.submitted
    assert (job.shards, job.shard_bytes, job.array_job_id, job.batch_job_id) == (7, 100, "batch-1", "batch-2")
    assert array["arrayProperties"] == {"size": 7}
    assert last["dependsOn"] == [{"jobId": "batch-1"}]
    assert last["containerOverrides"]["command"] == ["publish", "--job-id", "Ref::job_id"]
    assert array["parameters"] == last["parameters"] == {"job_id": job.job_id, "run": "1"}


def test_shards_in_any_order_become_one_output_in_the_rows_order(sharded: Account) -> None:
    job = _run(sharded, _taken(sharded))
    assert (job.status, job.rows, job.rows_scored, job.shards_done) == (State.SUCCEEDED, 200, 200, 7)
    assert sharded.outputs() == {job.output_key: SCORES}
    assert (job.batch_job_id, job.code) == ("batch-2", None)


def test_the_manifest_holds_input_and_output_together(sharded: Account) -> None:
    job = _run(sharded, _taken(sharded))
    said = sharded.manifest(job)
    assert said["rows"] == {"in": 200, "scored": 200, "rejected": 0, "empty": 0}
    assert [part["start"] for part in said["input"]["parts"]][1:] == [part["end"] for part in said["input"]["parts"]][
        :-1
    ]
    for part in said["input"]["parts"]:
        assert part["sha256"] == sha256(ROWS[part["start"] : part["end"]]).hexdigest()
    position = 0
    for part in said["output"]["parts"]:
        assert part["sha256"] == sha256(SCORES[position : position + part["bytes"]]).hexdigest()
        position += part["bytes"]
    assert position == said["output"]["bytes"] == len(SCORES)


def test_a_shard_that_is_done_is_not_scored_again(sharded: Account) -> None:
    job = _taken(sharded)
    _shard(sharded, job, 3)
    calls = sharded.model.calls
    _shard(sharded, job, 3, attempt=2)
    assert sharded.model.calls == calls
    assert sharded.job(job.job_id).shards_done == 1


def test_a_shard_that_nobody_scored_is_scored_by_the_publisher(sharded: Account) -> None:
    job = _taken(sharded)
    for index in (0, 1, 5):
        _shard(sharded, job, index)
    assert sharded.outputs() == {}
    assert sharded.outputs() | {} == {}
    job = _publish(sharded, job)
    assert sharded.outputs() == {job.output_key: SCORES}
    assert job.shards_done == 7


def test_a_model_that_changes_between_shards_scores_the_whole_file(sharded: Account) -> None:
    job = _taken(sharded)
    for index in range(7):
        sharded.model.version = "aaaaaaaaaaaa" if index < 4 else "bbbbbbbbbbbb"
        _shard(sharded, job, index)
    seen: list[bytes] = []
    sharded.model.fail = seen.append
    job = _publish(sharded, job)
    assert sharded.outputs() == {job.output_key: SCORES}
    assert b"".join(seen) == ROWS[: ROWS.index(b"\n", 399) + 1]  # the first four shards again, by the newer model
    assert sharded.manifest(job)["model"]["version"] == "bbbbbbbbbbbb"


def test_a_model_that_changes_while_the_publisher_scores_starts_over(sharded: Account) -> None:
    job = _taken(sharded)
    sharded.model.version = "aaaaaaaaaaaa"
    for index in range(6):
        _shard(sharded, job, index)
    sharded.model.version = "bbbbbbbbbbbb"
    job = _publish(sharded, job)
    assert sharded.outputs() == {job.output_key: SCORES}
    assert sharded.manifest(job)["model"]["version"] == "bbbbbbbbbbbb"
    assert len({part["sha256"] for part in sharded.manifest(job)["output"]["parts"]}) == 7


def test_parts_of_one_model_are_published_though_another_answers_by_now(sharded: Account) -> None:
    job = _taken(sharded)
    sharded.model.version = "aaaaaaaaaaaa"
    for index in range(7):
        _shard(sharded, job, index)
    sharded.model.version = "bbbbbbbbbbbb"
    calls = sharded.model.calls
    job = _publish(sharded, job)
    assert sharded.manifest(job)["model"]["version"] == "aaaaaaaaaaaa"
    assert sharded.model.calls == calls


def _refusing(account: Account, *numbers: int) -> None:
    def refuse(body: bytes) -> None:
        for row, cell in enumerate(body.split(), 1):
            if int(cell) in numbers:
                raise model_error(400, {"code": "NOT_A_NUMBER", "row": row, "column": 1, "message": "secret-cell"})

    account.model.fail = refuse


def _fails(account: Account, job: Job, index: int, kind: type[JobError]) -> Job:
    with pytest.raises(kind):
        _shard(account, job, index)
    return account.job(job.job_id)


@pytest.mark.parametrize("before", [[], [0, 1], range(5)])
def test_a_bad_row_of_a_later_shard_is_named_by_its_number_in_the_file(sharded: Account, before: list[int]) -> None:
    job = _taken(sharded)
    for index in before:
        _shard(sharded, job, index)
    _refusing(sharded, 170)
    job = _fails(sharded, job, 5, RejectedError)
    assert (job.status, job.code) == (State.REJECTED, "NOT_A_NUMBER")
    assert (job.message or "").startswith(f"row 171 (line 171, at byte {ROWS.index(b'170')}): ")
    assert sharded.worker("batch-2").publish(job.job_id) is None
    assert sharded.outputs() == {}


def test_shards_of_a_job_that_has_ended_stop(sharded: Account) -> None:
    job = _taken(sharded)
    _refusing(sharded, 170)
    _fails(sharded, job, 5, RejectedError)
    calls = sharded.model.calls
    _shard(sharded, job, 1)
    assert sharded.model.calls == calls


def test_a_transient_fault_of_a_shard_leaves_the_job_running(sharded: Account) -> None:
    def fail(_body: bytes) -> None:
        raise model_error(500)

    job = _taken(sharded)
    sharded.model.fail = fail
    job = _fails(sharded, job, 2, TransientError)
    assert (job.status, job.code) == (State.RUNNING, "MODEL_FAILED")
    sharded.model.fail = lambda _body: None
    assert _run(sharded, job).code is None


@pytest.mark.parametrize("allowed", [3, "1.5%"])
def test_bad_rows_of_all_shards_are_listed_by_their_numbers_in_the_file(sharded: Account, allowed: str | int) -> None:
    sharded.options = Options(max_bad_rows=allowed)
    _refusing(sharded, 3, 104, 170)
    job = _run(sharded, _taken(sharded))
    assert (job.status, job.rows_rejected) == (State.SUCCEEDED, 3)
    listed = list(csv.DictReader(io.StringIO(sharded.outputs()[errors_key(job.output_key)].decode())))
    assert [(int(bad["row"]), int(bad["offset"])) for bad in listed] == [
        (number + 1, ROWS.index(b"\n%d\n" % number) + 1) for number in (3, 104, 170)
    ]
    scores = sharded.outputs()[job.output_key].split(b"\n")
    assert [line for line, score in enumerate(scores[:-1], 1) if not score] == [4, 105, 171]


@pytest.mark.parametrize("allowed", [2, "1.4%"])
def test_bad_rows_of_all_shards_together_are_held_against_the_allowance(sharded: Account, allowed: str | int) -> None:
    sharded.options = Options(max_bad_rows=allowed)
    _refusing(sharded, 3, 104, 170)
    job = _taken(sharded)
    for index in range(7):
        _shard(sharded, job, index)
    with pytest.raises(RejectedError):
        _publish(sharded, job)
    job = sharded.job(job.job_id)
    assert (job.status, job.code) == (State.REJECTED, "NOT_A_NUMBER")
    assert (job.message or "").startswith("row 4 (line 4, at byte 6): ")
    assert sharded.outputs() == {}


def test_a_header_and_ids_go_through_shards(sharded: Account) -> None:
    sharded.options = Options(id="id", output="id")
    data = b"id,x\n" + b"".join(b"c%d,%d\n" % (row, row) for row in range(100))
    job = _run(sharded, _taken(sharded, data))
    assert job.shards > 5
    expected = b"id,score\n" + b"".join(b"c%d,0.%d\n" % (row, row) for row in range(100))
    assert sharded.outputs() == {job.output_key: expected}
    said = sharded.manifest(job)["output"]
    assert sum(part["bytes"] for part in said["parts"]) == said["bytes"] == len(expected)


def test_a_killed_publisher_leaves_nothing_or_all(sharded: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    job = _taken(sharded)
    for index in range(7):
        _shard(sharded, job, index)
    with monkeypatch.context() as killed:
        killed.setattr(type(sharded.table), "report", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            _publish(sharded, job)
    assert sharded.outputs() == {}
    job = _publish(sharded, job, attempt=2)
    assert (job.status, sharded.outputs()) == (State.SUCCEEDED, {job.output_key: SCORES})


def test_a_publisher_that_was_replaced_publishes_nothing(sharded: Account) -> None:
    job = _taken(sharded)
    for index in range(6):
        _shard(sharded, job, index)

    def replaced(_body: bytes) -> None:
        sharded.table.start(job.job_id, batch_job_id="batch-2", attempt=2, started_at="t")

    sharded.model.fail = replaced
    assert sharded.worker("batch-2").publish(job.job_id) is None
    assert sharded.outputs() == {}


def test_parts_that_do_not_reach_the_files_end_are_not_published(sharded: Account) -> None:
    job = _taken(sharded)
    for index in range(7):
        _shard(sharded, job, index)
    item = sharded.table._table
    item.update_item(
        Key={"job_id": job.job_id}, UpdateExpression="SET size_bytes = :s", ExpressionAttributeValues={":s": 691}
    )
    with pytest.raises(PermanentError, match="SHARD_MISMATCH"):
        _publish(sharded, job)
    assert sharded.outputs() == {}


def test_only_blank_lines_are_an_empty_file(sharded: Account) -> None:
    sharded.shard_bytes = 1 << 16
    job = _taken(sharded, b"\n" * (1 << 17))
    for index in range(job.shards):
        _shard(sharded, job, index)
    with pytest.raises(RejectedError, match="EMPTY_FILE"):
        _publish(sharded, job)


cells = st.lists(st.sampled_from(["1", "22", '"4\n5"', '","', '""']), min_size=1, max_size=2).map(",".join)


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(cells, min_size=8, max_size=30), st.integers(10, 40))
def test_any_file_comes_out_as_if_it_were_one_shard(account: Account, rows: list[str], shard_bytes: int) -> None:
    data = ("\n".join(rows) + "\n").encode()
    account.model.is_by_digest, account.options = True, Options(header=False)
    outputs = []
    for size in (1 << 20, shard_bytes):
        account.shard_bytes = size
        job = _taken(account, data)
        if job.shards == 1:
            account.worker(job.batch_job_id or "").score(job.job_id)
        for index in range(job.shards if job.shards > 1 else 0):
            _shard(account, job, index)
        if job.shards > 1:
            account.worker(job.batch_job_id or "").publish(job.job_id)
        job = account.job(job.job_id)
        outputs.append((job.status, job.rows, account.read(job.output_key)))
    assert outputs[0] == outputs[1]
    assert outputs[0][1] == len(list(csv.reader(io.StringIO(data.decode(), newline=""))))
