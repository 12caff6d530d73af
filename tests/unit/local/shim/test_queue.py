from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.shim.batch.job import Job
from local.shim.batch.queue import CHILD_FAILED, DEPENDENCY_FAILED, HOST_LOST, REPUBLISHED_MILLISECONDS, Jobs
from local.shim.batch.retry import Outcome, RetryStrategy, Rule

ONCE = RetryStrategy(1)
THRICE = RetryStrategy(
    3, [Rule("RETRY", exit_code="75"), Rule("RETRY", status_reason="Your Spot*"), Rule("EXIT", reason="*")]
)
DONE = Outcome(0, status_reason="Essential container in task exited")


def job(name: str, **changes: Any) -> Job:
    plain: dict[str, Any] = {
        "id": name,
        "arn": f"arn:job/{name}",
        "name": name,
        "queue": "arn:job-queue/q",
        "definition": "arn:job-definition/d:1",
        "parameters": {},
        "command": [],
        "environment": {},
        "max_attempts": 3,
        "timeout_seconds": None,
    }
    return Job(**plain | changes)


def array(size: int) -> list[Job]:
    children = [job(f"p:{index}", parent="p", parent_size=size, array_index=index) for index in range(size)]
    return [job("p", array_size=size), *children]


def summary_of(jobs: Jobs, parent: Job) -> dict[str, int]:
    described = jobs.described(parent)["arrayProperties"]
    assert described["size"] == parent.array_size
    assert len(described["statusSummary"]) == 7
    return {status: count for status, count in described["statusSummary"].items() if count}


@pytest.fixture
def seen() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def jobs(tmp_path: Path, seen: list[tuple[str, str]]) -> Jobs:
    return Jobs(tmp_path / "jobs.json", lambda detail: seen.append((detail["jobId"], detail["status"])))


def end(jobs: Jobs, outcome: Outcome, strategy: RetryStrategy = ONCE) -> Job:
    taken = jobs.take()
    jobs.move(taken, "RUNNING")
    jobs.end_attempt(taken, outcome, 7, strategy)
    return taken


def test_every_state_is_reported_in_order(jobs: Jobs, seen: list[tuple[str, str]]) -> None:
    jobs.add([job("a")])
    end(jobs, DONE)
    assert [status for _, status in seen] == ["SUBMITTED", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"]


def test_only_a_transient_failure_is_retried(jobs: Jobs) -> None:
    jobs.add([job("a")])
    retried = end(jobs, Outcome(75), THRICE)
    assert retried.status == "RUNNABLE"
    failed = end(jobs, Outcome(10), THRICE)
    assert failed is retried
    assert failed.status == "FAILED"
    assert [attempt.exit_code for attempt in failed.attempts] == [75, 10]
    assert jobs.described(failed)["container"]["peakMemoryBytes"] == 7


def test_a_dependent_waits_and_fails_with_its_dependency(jobs: Jobs) -> None:
    jobs.add([job("a"), job("b", depends_on=["a"]), job("c", depends_on=["b"])])
    assert [job.status for job in jobs.where(lambda _: True)] == ["RUNNABLE", "PENDING", "PENDING"]
    end(jobs, DONE)
    assert jobs.get("b").status == "RUNNABLE"  # type: ignore[union-attr]
    end(jobs, Outcome(1))
    last = jobs.get("c")
    assert last is not None
    assert (last.status, last.status_reason) == ("FAILED", DEPENDENCY_FAILED)


def test_an_array_ends_with_its_children(jobs: Jobs) -> None:
    parent, *children = array(2)
    jobs.add([parent, *children, job("after", depends_on=["p"])])
    assert parent.status == "PENDING"
    assert jobs.described(end(jobs, DONE))["arrayProperties"] == {"index": 0}
    assert (parent.status, jobs.get("after").status) == ("PENDING", "PENDING")  # type: ignore[union-attr]
    assert summary_of(jobs, parent) == {"SUCCEEDED": 1, "RUNNABLE": 1}
    end(jobs, DONE)
    assert (parent.status, jobs.get("after").status) == ("SUCCEEDED", "RUNNABLE")  # type: ignore[union-attr]
    assert summary_of(jobs, parent) == {"SUCCEEDED": 2}


def test_an_array_fails_after_all_children_have_ended(jobs: Jobs) -> None:
    parent, *children = array(3)
    jobs.add([parent, *children])
    jobs.add([job("after", depends_on=["p"])])
    for outcome in (Outcome(1), DONE):
        end(jobs, outcome)
        assert (parent.status, jobs.get("after").status) == ("PENDING", "PENDING")  # type: ignore[union-attr]
    end(jobs, DONE)
    assert (parent.status, parent.status_reason) == ("FAILED", CHILD_FAILED)
    assert summary_of(jobs, parent) == {"SUCCEEDED": 2, "FAILED": 1}
    after = jobs.get("after")
    assert after is not None
    assert (after.status, after.status_reason, after.attempts) == ("FAILED", DEPENDENCY_FAILED, [])


@pytest.mark.parametrize(("outcome", "status"), [(DONE, "RUNNABLE"), (Outcome(1), "FAILED")])
def test_a_late_dependent_is_settled_immediately(jobs: Jobs, outcome: Outcome, status: str) -> None:
    jobs.add([job("a")])
    end(jobs, outcome)
    jobs.add([job("b", depends_on=["a"])])
    assert jobs.get("b").status == status  # type: ignore[union-attr]


def test_an_array_waits_for_a_retried_child(jobs: Jobs) -> None:
    parent, *children = array(2)
    jobs.add([parent, *children, job("after", depends_on=["p"])])
    for outcome in (Outcome(75), DONE):
        end(jobs, outcome, THRICE)
    assert summary_of(jobs, parent)["SUCCEEDED"] == 1
    assert jobs.get("after").status == "PENDING"  # type: ignore[union-attr]
    end(jobs, DONE, THRICE)
    assert jobs.get("after").status == "RUNNABLE"  # type: ignore[union-attr]


def test_a_change_is_saved_before_it_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "jobs.json"

    def is_written(detail: dict[str, Any]) -> None:
        assert detail["jobId"] in {kept["id"] for kept in json.loads(file.read_text())}
        reported.append(detail)

    reported: list[dict[str, Any]] = []
    jobs = Jobs(file, is_written)
    parent, *children = array(2)
    jobs.add([parent, *children])
    for _ in children:
        end(jobs, DONE)
    assert [event["status"] for event in reported if event["jobId"] == "p"] == ["SUBMITTED", "PENDING", "SUCCEEDED"]
    assert {kept["id"]: kept["status"] for kept in json.loads(file.read_text())} == {
        "p": "SUCCEEDED",
        "p:0": "SUCCEEDED",
        "p:1": "SUCCEEDED",
    }


def test_the_highest_priority_starts_first_then_the_oldest(jobs: Jobs) -> None:
    jobs.add([job("old", created_at=1), job("urgent", priority=9, created_at=3), job("older", created_at=0)])
    jobs.add([job("most urgent", priority=10, created_at=4), job("as urgent", priority=9, created_at=2)])
    order = ["most urgent", "as urgent", "urgent", "older", "old"]
    assert [jobs.take().id for _ in order] == order


def test_children_of_an_array_start_in_order(jobs: Jobs) -> None:
    jobs.add(array(4))
    assert [jobs.take().array_index for _ in range(4)] == [0, 1, 2, 3]


def test_an_array_continues_after_the_shim_restarts(jobs: Jobs, tmp_path: Path) -> None:
    jobs.add([*array(3), job("after", depends_on=["p"])])
    end(jobs, DONE)
    jobs.move(jobs.take(), "RUNNING")

    again = Jobs(tmp_path / "jobs.json", lambda _: None)
    again.restore(lambda _: THRICE)
    assert [job.status for job in again.where(lambda job: job.parent == "p")] == ["SUCCEEDED", "RUNNABLE", "RUNNABLE"]
    for _ in range(2):
        end(again, DONE)
    assert [again.get(name).status for name in ("p", "after")] == ["SUCCEEDED", "RUNNABLE"]  # type: ignore[union-attr]


def test_a_recent_end_is_reported_again_after_a_restart(jobs: Jobs, tmp_path: Path) -> None:
    jobs.add([job("old"), job("new")])
    end(jobs, DONE)
    end(jobs, DONE)
    file, reported = tmp_path / "jobs.json", list[Any]()
    old, new = json.loads(file.read_text())
    file.write_text(json.dumps([old | {"stopped_at": old["stopped_at"] - REPUBLISHED_MILLISECONDS - 1000}, new]))
    Jobs(file, reported.append).restore(lambda _: THRICE)
    assert [(event["jobId"], event["status"]) for event in reported] == [("new", "SUCCEEDED")]


def test_a_terminated_job_fails_with_the_reason_given(jobs: Jobs) -> None:
    jobs.add([job("a")])
    taken = jobs.take()
    taken.stop_reason = "no longer wanted"
    jobs.end_attempt(taken, Outcome(75), 0, THRICE)
    assert (taken.status, taken.status_reason) == ("FAILED", "no longer wanted")


def test_only_a_waiting_job_can_be_cancelled(jobs: Jobs) -> None:
    jobs.add([job("a"), job("b")])
    taken = jobs.take()
    assert not jobs.stop_waiting(taken, "why")
    waiting = jobs.get("b")
    assert waiting is not None
    assert jobs.stop_waiting(waiting, "why")
    assert waiting.status == "FAILED"


def test_a_restart_ends_running_attempts_as_lost(jobs: Jobs, tmp_path: Path) -> None:
    jobs.add([job("a"), job("b"), job("c")])
    end(jobs, DONE)
    jobs.move(jobs.take(), "RUNNING")

    again = Jobs(tmp_path / "jobs.json", lambda _: None)
    again.restore(lambda _: THRICE)

    assert {job.id: job.status for job in again.where(lambda _: True)} == {
        "a": "SUCCEEDED",
        "b": "RUNNABLE",
        "c": "RUNNABLE",
    }
    lost = again.get("b")
    assert lost is not None
    assert [attempt.status_reason for attempt in lost.attempts] == [HOST_LOST]


def test_the_file_holds_every_job(jobs: Jobs, tmp_path: Path) -> None:
    jobs.add([job("a")])
    (kept,) = json.loads((tmp_path / "jobs.json").read_text())
    assert Job.from_dict(kept) == jobs.get("a")
