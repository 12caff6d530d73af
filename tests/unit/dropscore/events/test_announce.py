"""Ends of jobs become events: each of them, once where that can be had, and by the published schema."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer

from dropscore.aws.items import item_of
from dropscore.aws.stream import failed_records
from dropscore.errors import CloudError
from dropscore.events.announce import Announcer, endings
from dropscore.jobs.job import Job, State
from lambdas.scoring.announce import handler as doorway
from tests.emf import totals
from tests.events import complaints
from tests.unit.dropscore.conftest import Account, aws_error

_typed = TypeSerializer().serialize


def a_job(number: int = 1, **changes: Any) -> Job:
    said: dict[str, Any] = {
        "job_id": f"{number:032x}",
        "file": "input/claims/märz 1.csv",
        "version_id": "v",
        "route": "claims",
        "model": "fraud",
        "model_version": "0123456789ab",
        "status": State.RUNNING,
        "submitted_at": "2026-11-21T01:40:19.123Z",
        "started_at": "2026-11-21T01:41:19.123Z",
        "output_key": "output/claims/20261121T014019123000001Z-märz 1.csv",
        "size_bytes": 12,
    }
    return Job(**{**said, **changes})


def succeeded(number: int = 1, **changes: Any) -> Job:
    said = {"status": State.SUCCEEDED, "finished_at": "2026-11-21T01:42:19.623Z", "rows": 9, "rows_scored": 9}
    return a_job(number, **{**said, **changes})


def failed(number: int = 1, **changes: Any) -> Job:
    said = {"status": State.FAILED, "finished_at": "2026-11-21T01:42:19.623Z", "code": "TIMEOUT", "message": "raise it"}
    return a_job(number, **{**said, **changes})


def image(job: Job) -> dict[str, Any]:
    return {name: _typed(value) for name, value in item_of(job).items()}


def record(before: Job | None, after: Job | None, sequence: int = 1) -> dict[str, Any]:
    images = {"OldImage": image(before)} if before else {}
    images |= {"NewImage": image(after)} if after else {}
    return {"eventName": "MODIFY", "dynamodb": {"SequenceNumber": str(sequence), **images}}


class FakeBus:
    """EventBridge: takes what it is not told to refuse."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.taken: list[dict[str, Any]] = []
        self.refuses: dict[str, int] = {}
        """How often yet the event of a job is refused."""

    def put_events(self, *, Entries: Sequence[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        assert 0 < len(Entries) <= 10
        told = [self._put(entry) for entry in Entries]
        self.calls.append([json.loads(entry["Detail"])["job_id"] for entry in Entries])
        return {"FailedEntryCount": sum("ErrorCode" in one for one in told), "Entries": told}

    def _put(self, entry: dict[str, Any]) -> dict[str, str]:
        job_id = json.loads(entry["Detail"])["job_id"]
        if self.refuses.get(job_id, 0):
            self.refuses[job_id] -= 1
            return {"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"}
        self.taken.append(entry)
        return {"EventId": "e"}

    @property
    def details(self) -> list[dict[str, Any]]:
        return [json.loads(entry["Detail"]) for entry in self.taken]


@pytest.fixture
def bus() -> FakeBus:
    return FakeBus()


@pytest.fixture
def announcer(bus: FakeBus) -> Announcer:
    return Announcer(events=bus, environment="dev", bucket="bucket", sleep=lambda _: None)  # type: ignore[arg-type]


def test_a_success_says_where_the_scores_are(announcer: Announcer, bus: FakeBus) -> None:
    assert announcer.announce([record(a_job(), succeeded(rows_rejected=2, run=3))]) is None
    (entry,) = bus.taken
    assert (entry["Source"], entry["DetailType"]) == ("dropscore", "Job Succeeded")
    assert entry["Time"].isoformat() == "2026-11-21T01:42:19.623000+00:00"
    (said,) = bus.details
    assert complaints(said) == []
    assert said["idempotency_key"] == f"{said['job_id']}/3"
    assert said["output_key"] == "output/claims/20261121T014019123000001Z-märz 1.csv"
    assert said["errors_key"] == "output/claims/20261121T014019123000001Z-märz 1.errors.csv"
    assert (said["environment"], said["bucket"], said["rows"]) == ("dev", "bucket", 9)


@pytest.mark.parametrize(("status", "kind"), [(State.FAILED, "Job Failed"), (State.REJECTED, "Job Rejected")])
def test_a_failure_says_why_and_names_no_output(announcer: Announcer, bus: FakeBus, status: State, kind: str) -> None:
    announcer.announce([record(a_job(), failed(status=status))])
    (entry,), (said,) = bus.taken, bus.details
    assert (entry["DetailType"], said["code"], said["message"]) == (kind, "TIMEOUT", "raise it")
    assert complaints(said) == []


def test_the_schema_finds_fault() -> None:
    good = Announcer(events=FakeBus(), environment="dev", bucket="bucket").detail(succeeded())  # type: ignore[arg-type]
    assert complaints(good) == []
    for wrong in (
        {"schema_version": "2"},
        {"run": 0},
        {"file": "a.csv"},
        {"code": "TIMEOUT"},
        {"status": "FAILED"},
        {"rows_rejected": 1},
        {"finished_at": "yesterday"},
    ):
        assert complaints(good | wrong), wrong
    for name in good:
        if name != "started_at":
            assert complaints({key: good[key] for key in good if key != name}), name


def test_only_a_change_to_an_end_is_an_end() -> None:
    ended = succeeded()
    records = [
        record(None, a_job(2)),
        record(a_job(3), a_job(3, rows_scored=5)),
        record(ended, succeeded(code="X")),  # it had ended before
        record(failed(4), a_job(4, status=State.CLAIMED, run=2)),  # a retry
        record(ended, None),  # expired
        {"eventName": "MODIFY", "dynamodb": {"SequenceNumber": "9", "NewImage": {"max_payload_bytes": {"N": "9"}}}},
        record(a_job(), ended, sequence=7),
    ]
    (found,) = endings(records)
    assert (found.job, found.sequence_number) == (ended, "7")


def test_the_tables_own_records_are_understood(account: Account) -> None:
    """What the worker writes is what comes back out of the stream."""
    job_id = account.take(account.put(b"1\n2\n")) or ""
    before = account.job(job_id)
    account.worker().score(job_id)
    (found,) = endings([record(before, account.job(job_id))])
    assert found.job == account.job(job_id)


def test_many_ends_are_published_in_their_order_ten_at_a_time(announcer: Announcer, bus: FakeBus) -> None:
    jobs = [succeeded(number) for number in range(23)]
    assert announcer.announce([record(a_job(), job) for job in jobs]) is None
    assert [said["job_id"] for said in bus.details] == [job.job_id for job in jobs]
    assert [len(call) for call in bus.calls] == [10, 10, 3]


def test_what_was_refused_for_a_moment_is_offered_again_and_nothing_else_is(announcer: Announcer, bus: FakeBus) -> None:
    jobs = [succeeded(number) for number in range(5)]
    bus.refuses = {jobs[2].job_id: 2}
    assert announcer.announce([record(a_job(), job) for job in jobs]) is None
    assert bus.calls[1:] == [[jobs[2].job_id]] * 2
    assert sorted(said["job_id"] for said in bus.details) == [job.job_id for job in jobs]


def test_what_stays_refused_is_named_and_nothing_after_it_is_published(
    announcer: Announcer, bus: FakeBus, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = [succeeded(number) for number in range(30)]
    bus.refuses = {jobs[12].job_id: 99}
    records = [record(a_job(), job, sequence=100 + number) for number, job in enumerate(jobs)]
    assert announcer.announce(records) == "112"
    assert {said["job_id"] for said in bus.details} <= {job.job_id for job in jobs[:20]}
    assert totals(capsys.readouterr().out.splitlines())["JobsSucceeded"] == 12, "the others are counted when they go"


def test_outcomes_are_measured(announcer: Announcer, capsys: pytest.CaptureFixture[str]) -> None:
    ends = [succeeded(1), succeeded(2), failed(3), failed(4, status=State.REJECTED)]
    announcer.announce([record(a_job(), end) for end in ends])
    found = totals(capsys.readouterr().out.splitlines())
    assert (found["JobsSucceeded"], found["JobsFailed"], found["JobsRejected"]) == (2, 1, 1)
    assert found["JobTime"] == pytest.approx(4 * 120.5)


class FakeStream:
    """A shard of a stream, three records a page, which goes on for ever."""

    def __init__(self, records: Sequence[dict[str, Any]], error: Exception | None = None) -> None:
        self.records, self.error = records, error

    def get_shard_iterator(self, **asked: str) -> dict[str, str]:
        if self.error:
            raise self.error
        assert (asked["StreamArn"], asked["ShardId"], asked["ShardIteratorType"]) == ("arn", "s", "AT_SEQUENCE_NUMBER")
        numbers = [one["dynamodb"]["SequenceNumber"] for one in self.records]
        return {"ShardIterator": str(numbers.index(asked["SequenceNumber"]))}

    def get_records(self, *, ShardIterator: str) -> dict[str, Any]:  # noqa: N803
        at = int(ShardIterator)
        assert at < 1000, "it does not know where to stop"
        return {"Records": self.records[at : at + 3], "NextShardIterator": str(at + 3)}


WHERE = {"streamArn": "arn", "shardId": "s", "startSequenceNumber": "103", "endSequenceNumber": "111", "batchSize": 9}


def test_what_a_dead_letter_tells_of_is_read_from_the_stream_again() -> None:
    stream = FakeStream([record(a_job(), succeeded(), sequence=number) for number in range(100, 140)])
    found = [one["dynamodb"]["SequenceNumber"] for one in failed_records(stream, WHERE)]
    assert found == [str(number) for number in range(103, 112)]


@pytest.mark.parametrize("code", ["TrimmedDataAccessException", "ResourceNotFoundException"])
def test_error_when_the_stream_has_forgotten(code: str) -> None:
    with pytest.raises(CloudError, match="keeps them for 24 hours"):
        list(failed_records(FakeStream([], aws_error(code)), WHERE))


def test_another_error_of_the_stream_is_not_taken_for_that() -> None:
    with pytest.raises(Exception, match="InternalServerError"):
        list(failed_records(FakeStream([], aws_error("InternalServerError")), WHERE))


@pytest.fixture
def at_the_door(announcer: Announcer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorway, "_announcer", lambda: announcer)


def test_lambda_is_told_from_where_to_try_again(at_the_door: None, bus: FakeBus) -> None:
    event = {"Records": [record(a_job(), succeeded(number), sequence=number) for number in (1, 2)]}
    assert doorway.handler(event, None) == {"batchItemFailures": []}
    bus.refuses = {succeeded(2).job_id: 99}
    assert doorway.handler(event, None) == {"batchItemFailures": [{"itemIdentifier": "2"}]}


def test_a_dead_letter_is_announced_or_stays_one(
    at_the_door: None, bus: FakeBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = FakeStream([record(a_job(), succeeded(number), sequence=number) for number in range(103, 112)])
    monkeypatch.setattr("boto3.client", lambda _: stream)
    assert doorway.handler({"DDBStreamBatchInfo": WHERE}, None) == {"batchItemFailures": []}
    assert len(bus.taken) == 9
    bus.refuses = {succeeded(105).job_id: 99}
    with pytest.raises(CloudError, match="rejected some events"):
        doorway.handler({"DDBStreamBatchInfo": WHERE}, None)
