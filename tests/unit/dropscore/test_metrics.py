"""What is measured comes out as lines that CloudWatch takes, bounded in number and size."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from itertools import count

import pytest

from dropscore import metrics
from dropscore.errors import BusyError, JobError, PermanentError, RowsRefusedError, TransientError
from dropscore.jobs.options import Options
from dropscore.metrics import Meter, emit, metered
from dropscore.scoring import progress
from tests.emf import metrics_of, totals
from tests.unit.dropscore.conftest import Account, aws_error, model_error

Written = Callable[[], list[str]]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Written:
    """The lines so far that hold metrics."""
    return lambda: [line for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]


def test_a_line_is_of_the_environment_and_of_the_model(written: Written) -> None:
    emit({"Rows": 3, "Latency": [1.5, 2]}, environment="dev", model="fraud")
    emit({"ReconcileRepairs": 1}, environment="dev")
    both, one = written()
    assert metrics_of(both) == {"Rows": [3], "Latency": [1.5, 2]}
    assert '"Dimensions": [["Environment"], ["Environment", "Model"]]' in both
    assert '"Dimensions": [["Environment"]]' in one


def test_a_meter_writes_a_line_a_minute_and_one_at_the_end(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(metrics, "Meter", partial(Meter, clock=clock))
    with metered("dev", "fraud") as meter:
        for second in range(150):
            clock.now = float(second)
            meter.count(Rows=2)
            meter.tick()
    lines = written()
    assert [metrics_of(line)["Rows"] for line in lines] == [[122], [120], [58]]
    assert [metrics_of(line)["WorkerTime"] for line in lines] == [[60], [60], [29]]


def test_the_last_line_is_written_however_an_attempt_ends(written: Written) -> None:
    def attempt() -> None:
        with metered("dev", "fraud") as meter:
            meter.count(Rows=7)
            raise SystemExit(75)

    with pytest.raises(SystemExit):
        attempt()
    assert totals(written())["Rows"] == 7


def test_requests_are_counted_and_timed(written: Written) -> None:
    clock = Clock()
    meter = Meter("dev", "fraud", clock)

    def ask(seconds: float) -> bytes:
        clock.now += seconds
        return b"answer"

    assert meter.measured(ask)(0.25) == b"answer"
    meter.measured(ask)(1.5)
    meter.write()
    (line,) = written()
    found = metrics_of(line)
    assert (found["Requests"], found["Latency"], found["ConcurrentRequests"]) == ([2], [250, 1500], [1])


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (BusyError("THROTTLED", "x"), {"Retries": [1], "Throttles": [1]}),
        (TransientError("MODEL_FAILED", "x"), {"Retries": [1]}),
        (RowsRefusedError("BAD_ROW", "x", rows=(1, 1), reason="x"), {}),
        (PermanentError("ACCESS_DENIED", "x"), {}),
    ],
)
def test_a_request_that_comes_to_nothing_is_no_answered_body(
    written: Written, error: JobError, expected: dict[str, list[float]]
) -> None:
    meter = Meter("dev", "fraud")

    def ask(_: None) -> bytes:
        raise error

    with pytest.raises(type(error)):
        meter.measured(ask)(None)
    meter.write()
    found = metrics_of(written()[0])
    assert {name: found[name] for name in found if name not in ("ConcurrentRequests", "WorkerTime")} == expected


def test_the_most_requests_under_way_at_one_time_are_told_and_then_forgotten(written: Written) -> None:
    meter, here, go = Meter("dev", "fraud"), threading.Barrier(4), threading.Event()

    def ask(_: int) -> bytes:
        here.wait()
        go.wait()
        return b""

    threads = [threading.Thread(target=meter.measured(ask), args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    here.wait()
    meter.write()
    go.set()
    for thread in threads:
        thread.join()
    meter.write()
    meter.write()
    assert [metrics_of(line).get("ConcurrentRequests") for line in written()] == [[3], [3], None]


def test_a_line_has_its_bounds_however_many_requests_there_were(written: Written) -> None:
    clock, times = Clock(), count(1)
    meter = Meter("dev", "fraud", clock)

    def ask(_: None) -> bytes:
        clock.now += next(times) / 1000
        return b""

    for _ in range(5000):
        meter.measured(ask)(None)
    meter.write()
    (line,) = written()
    found = metrics_of(line)
    assert (found["Requests"], len(found["Latency"])) == ([5000], 100)
    assert 1500 < sum(found["Latency"]) / 100 < 3500, "a sample of all of them, not the first or the last hundred"


@pytest.fixture
def lossy(account: Account) -> Account:
    """An endpoint that is overloaded at first, and a model that refuses every seventh row."""
    calls = count(1)

    def fail(body: bytes) -> None:
        if next(calls) <= 2:
            raise aws_error("ThrottlingException")
        bad = [number for number, row in enumerate(body.split(), start=1) if int(row) % 7 == 0]
        if bad:
            raise model_error(400, {"code": "NOT_A_NUMBER", "row": bad[0]})

    account.model.fail = fail
    account.options = Options(max_bad_rows="50%")
    return account


def test_what_an_attempt_measures_adds_up_to_the_file(lossy: Account, written: Written) -> None:
    data = b"".join(b"%d\n" % row for row in range(100, 200))
    job_id = lossy.take(lossy.put(data)) or ""
    lossy.worker().score(job_id)
    job, found = lossy.job(job_id), totals(written())
    assert (job.rows, job.rows_rejected) == (100, 14)
    assert (found["Rows"], found["RowsRejected"], found["Bytes"]) == (100, 14, len(data))
    assert found["Throttles"] == found["Retries"] == 2
    assert found["Requests"] > 10
    assert found["QueueTime"] >= 0


def test_the_time_in_the_queue_is_measured_at_the_first_attempt_only(account: Account, written: Written) -> None:
    job_id = account.take(account.put(b"1\n")) or ""
    account.worker(attempt=2).score(job_id)
    assert "QueueTime" not in totals(written())


def test_each_shard_is_counted_once_it_is_done(account: Account, written: Written) -> None:
    account.shard_bytes = 20
    job_id = account.take(account.put(b"".join(b"%d\n" % row for row in range(10, 60)))) or ""
    job = account.job(job_id)
    for index in range(job.shards):
        account.worker("array-child").score_shard(job_id, index)
    account.worker("array-child").score_shard(job_id, 0)  # done before: nothing is scored, nothing is counted
    found = totals(written())
    assert (found["ShardsDone"], found["Rows"]) == (job.shards, 50)
    assert job.shards > 3


def test_a_long_attempt_is_heard_of_before_it_ends(
    account: Account, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "LINE_SECONDS", 0.0)
    monkeypatch.setattr(progress, "WHOLE_SECONDS", 0.0)
    job_id = account.take(account.put(b"".join(b"%d\n" % row for row in range(40)))) or ""
    account.worker().score(job_id)
    lines = [line for line in written() if "Rows" in metrics_of(line)]
    assert len(lines) > 3
    assert totals(lines)["Rows"] == 40
