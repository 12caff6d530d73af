from __future__ import annotations

import errno
import json
import signal
import sys
from types import SimpleNamespace

import pytest

from dropscore.log import ERROR, about, invocation, log
from tests.unit.dropscore.conftest import Account
from worker import main as doorway


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_line_has_its_time_its_level_and_what_was_said_of_the_work_around_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with about(job_id="j", shard=None):
        with about(key="input/a.csv", shard=0):
            log("scored", rows=3)
        log("failed", ERROR, why="x")
    log("alone")
    scored, failed, alone = lines(capsys)
    assert scored.pop("time")
    assert scored == {
        "level": "INFO",
        "event": "scored",
        "job_id": "j",
        "key": "input/a.csv",
        "shard": 0,
        "rows": 3,
    }
    assert (failed["level"], failed["job_id"]) == ("ERROR", "j")
    assert not {"key", "shard"} & set(failed)
    assert "job_id" not in alone


def test_the_lines_of_an_invocation_name_lambdas_request(capsys: pytest.CaptureFixture[str]) -> None:
    with invocation(SimpleNamespace(aws_request_id="r")):
        log("taken")
    with invocation(None):
        log("taken")
    assert [line.get("request_id") for line in lines(capsys)] == ["r", None]


class Broken:
    """Standard output that nobody reads any more, or a disk that is full."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def write(self, _text: str) -> int:
        raise self.error

    def flush(self) -> None:
        raise self.error


FAULTS = [
    BrokenPipeError(),
    OSError(errno.ENOSPC, "No space left on device"),
    ValueError("I/O operation on closed file"),
    RuntimeError("reentrant call inside <_io.BufferedWriter>"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_a_log_that_nobody_takes_fails_no_job(
    account: Account, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    job_id = account.take(account.put(b"1\n2\n")) or ""
    monkeypatch.setattr(sys, "stdout", Broken(fault))
    assert account.worker().score(job_id) is not None
    assert account.job(job_id).rows == 2


def test_a_worker_that_is_told_to_stop_while_it_writes_a_line_still_says_so_to_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdout", Broken(RuntimeError("reentrant call")))
    with pytest.raises(SystemExit) as stop:
        doorway._terminated(signal.SIGTERM, None)
    assert stop.value.code == doorway.TRANSIENT


def test_every_line_of_an_attempt_names_job_file_attempt_and_shard(
    account: Account, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = account.take(account.put(b"1\n2\n")) or ""
    capsys.readouterr()
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(doorway, "_worker", account.worker)
    assert doorway.main(["score", "--job-id", job_id]) == 0
    written = lines(capsys)
    assert {"started", "succeeded", "measured"} == {line["event"] for line in written}
    for line in written:
        assert (line["job_id"], line["batch_job_id"], line["attempt"], line["level"]) == (job_id, "batch-1", 1, "INFO")
    assert all(line["key"] == "input/a.csv" for line in written[1:])
