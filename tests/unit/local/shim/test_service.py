"""AWS Batch's REST API, called with boto3."""

from __future__ import annotations

import json
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from local.shim.batch.service import Batch
from tests.unit.local.conftest import ROLE, RunningShim, refused, until


def test_a_job_runs_in_a_container_environment(shim: RunningShim, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THIS_MACHINE", "x")
    job_id = shim.submit("0", "Ref::name-Ref::other", parameters={"name": "n"})
    job = shim.ended(job_id)

    assert job["status"] == "SUCCEEDED"
    assert job["container"]["exitCode"] == 0
    output = shim.output(job)
    environ = output["environ"]
    assert output["argv"] == ["0", "n-Ref::other"]
    assert output["cwd"] == str(shim.state / "job")
    assert (environ["GIVEN"], environ["MINE"], environ["OF_THE_IMAGE"]) == ("by the definition", "1", "yes")
    assert (environ["AWS_BATCH_JOB_ID"], environ["AWS_BATCH_JOB_ATTEMPT"]) == (job_id, "1")
    assert environ["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert environ["AWS_ENDPOINT_URL_BATCH"] == environ["AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"] == shim.url
    assert "SECRET_OF_THIS_MACHINE" not in environ
    assert "AWS_ACCESS_KEY_ID" not in environ
    states = [entry["status"] for entry in shim.events if entry["jobId"] == job_id]
    assert states == ["SUBMITTED", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"]


def test_a_jobs_credentials_need_its_token(shim: RunningShim) -> None:
    job_id = shim.submit("sleep")
    job = until(lambda: shim.job(job_id), lambda job: job["status"] == "RUNNING")
    until(lambda: (shim.state / "logs" / f"{job['container']['logStreamName']}.log").read_text(), bool)
    environ = shim.output(job)["environ"]
    url = environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"]

    def credentials(token: str) -> Any:
        with urlopen(Request(url, headers={"Authorization": token})) as answer:  # noqa: S310 - loopback
            return json.load(answer)

    assert credentials(environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"])["SecretAccessKey"] == f"secret of {job_id}"
    assert shim.authority.assumed[-1] == (ROLE, "ecs-tasks.amazonaws.com")

    def denied(token: str) -> bool:
        with pytest.raises(HTTPError) as error:
            credentials(token)
        error.value.close()
        return error.value.code == 403

    assert all(denied(token) for token in ("", "wrong", "\u00e9"))
    shim.batch.terminate_job(jobId=job_id, reason="enough")
    ended = shim.ended(job_id)
    assert all(denied(token) for token in ("", environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"])), "it no longer runs"
    assert (ended["status"], ended["statusReason"], ended["container"]["exitCode"]) == ("FAILED", "enough", 75)


def test_a_job_that_is_terminated_before_its_process_runs_is_stopped_once_it_does(
    shim: RunningShim, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = Batch._started

    def terminated_first(batch: Batch, job: Any, process: Any) -> None:
        shim.batch.terminate_job(jobId=job.id, reason="enough")  # the job is STARTING, and has no process yet
        started(batch, job, process)

    monkeypatch.setattr(Batch, "_started", terminated_first)
    ended = shim.ended(shim.submit("sleep"))
    assert (ended["status"], ended["statusReason"]) == ("FAILED", "enough")


def test_only_a_transient_exit_code_is_retried(shim: RunningShim) -> None:
    again, once = shim.ended(shim.submit("75")), shim.ended(shim.submit("3"))
    assert [entry["container"]["exitCode"] for entry in again["attempts"]] == [75, 75]
    assert [entry["container"]["exitCode"] for entry in once["attempts"]] == [3]
    fewer = shim.ended(shim.submit("75", retryStrategy={"attempts": 1}))
    assert [entry["container"]["exitCode"] for entry in fewer["attempts"]] == [75]
    assert {again["status"], once["status"]} == {"FAILED"}
    assert once["statusReason"] == "Essential container in task exited"


def test_an_attempt_ends_at_its_timeout(shim: RunningShim) -> None:
    job = shim.ended(shim.submit("sleep", timeout={"attemptDurationSeconds": 1}, retryStrategy={"attempts": 1}))
    assert (job["status"], job["statusReason"]) == ("FAILED", "Job attempt duration exceeded timeout")


def test_each_child_of_an_array_has_its_index(shim: RunningShim) -> None:
    array = shim.submit("0", "Ref::name", arrayProperties={"size": 3}, parameters={"name": "n"})
    shim.ended(array)
    for index in range(3):
        child = shim.job(f"{array}:{index}")
        output = shim.output(child)
        environ = {name: value for name, value in output["environ"].items() if name.startswith("AWS_BATCH_JOB_")}
        assert environ == {
            "AWS_BATCH_JOB_ID": f"{array}:{index}",
            "AWS_BATCH_JOB_ATTEMPT": "1",
            "AWS_BATCH_JOB_ARRAY_INDEX": str(index),
            "AWS_BATCH_JOB_ARRAY_SIZE": "3",
        }
        assert output["argv"] == ["0", "n"]
        assert (child["jobId"], child["arrayProperties"]) == (f"{array}:{index}", {"index": index})
        assert child["jobArn"] == f"{shim.job(array)['jobArn']}:{index}"
    children = shim.batch.list_jobs(arrayJobId=array, jobStatus="SUCCEEDED")["jobSummaryList"]
    assert [child["arrayProperties"]["index"] for child in children] == [0, 1, 2]


def test_a_child_gets_its_roles_credentials(shim: RunningShim) -> None:
    array = shim.submit("sleep", arrayProperties={"size": 2})
    job = until(lambda: shim.job(f"{array}:1"), lambda job: job["status"] == "RUNNING")
    until(lambda: (shim.state / "logs" / f"{job['container']['logStreamName']}.log").read_text(), bool)
    environ = shim.output(job)["environ"]
    request = Request(  # noqa: S310 - loopback
        environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"],
        headers={"Authorization": environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]},
    )
    with urlopen(request) as answer:  # noqa: S310 - loopback
        assert json.load(answer)["SecretAccessKey"] == f"secret of {array}-1"
    shim.batch.terminate_job(jobId=array, reason="enough")
    ended = shim.ended(array)
    assert (ended["status"], ended["arrayProperties"]["statusSummary"]["FAILED"]) == ("FAILED", 2)


def test_a_dependent_starts_after_every_child_has_succeeded(shim: RunningShim) -> None:
    array = shim.submit("0", arrayProperties={"size": 5})
    after = shim.submit("0", "publish", "Ref::name", dependsOn=[{"jobId": array}], parameters={"name": "n"})
    job = shim.ended(after)
    assert job["status"] == "SUCCEEDED"
    assert shim.output(job)["argv"] == ["0", "publish", "n"]
    assert job["dependsOn"] == [{"jobId": array}]
    states = [(entry["jobId"], entry["status"]) for entry in shim.events]
    ends = [states.index((f"{array}:{index}", "SUCCEEDED")) for index in range(5)]
    assert max(ends) < states.index((array, "SUCCEEDED")) < states.index((after, "STARTING"))


def test_a_dependent_fails_when_a_child_has_failed(shim: RunningShim) -> None:
    array = shim.submit("index", arrayProperties={"size": 3})
    after = shim.submit("0", dependsOn=[{"jobId": array}])
    job = shim.ended(after)
    assert (job["status"], job["statusReason"], job["attempts"]) == ("FAILED", "Dependent Job failed", [])
    assert {"RUNNABLE", "STARTING"}.isdisjoint(entry["status"] for entry in shim.events if entry["jobId"] == after)
    parent = shim.job(array)
    assert (parent["status"], parent["statusReason"]) == ("FAILED", "Array Child Job failed")
    ends = [shim.job(f"{array}:{index}") for index in range(3)]
    assert [child["status"] for child in ends] == ["SUCCEEDED", "FAILED", "FAILED"]
    assert [child["container"]["exitCode"] for child in ends] == [0, 1, 2]


def test_events_distinguish_children_parent_and_dependent(shim: RunningShim) -> None:
    array = shim.submit("index", arrayProperties={"size": 2}, parameters={"job_id": "ours"})
    after = shim.submit("0", dependsOn=[{"jobId": array}], parameters={"job_id": "ours"})
    shim.ended(after)
    final = {entry["jobId"]: entry for entry in shim.events if entry["status"] in {"SUCCEEDED", "FAILED"}}
    child, parent, dependent = final[f"{array}:1"], final[array], final[after]
    assert [entry["parameters"]["job_id"] for entry in (child, parent, dependent)] == ["ours"] * 3
    assert child["arrayProperties"] == {"index": 1}
    (attempt,) = child["attempts"]
    assert attempt["container"] | child["container"] == child["container"]
    assert attempt["container"]["exitCode"] == 1
    assert attempt["container"]["logStreamName"].startswith(f"j/{array}-1-")
    none = dict.fromkeys(("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING"), 0)
    assert parent["arrayProperties"] == {"size": 2, "statusSummary": {**none, "SUCCEEDED": 1, "FAILED": 1}}
    assert parent["attempts"] == dependent["attempts"] == []
    assert "arrayProperties" not in dependent


@pytest.mark.parametrize(
    ("operation", "request_", "action"),
    [
        (
            "submit_job",
            {"jobName": "j", "jobQueue": "queue", "jobDefinition": "job", "shareIdentifier": "scoring"},
            "batch:SubmitJob",
        ),
        (
            "submit_job",
            {
                "jobName": "j",
                "jobQueue": "queue",
                "jobDefinition": "job",
                "shareIdentifier": "scoring",
                "tags": {"a": "b"},
            },
            "batch:TagResource",
        ),
        ("describe_jobs", {"jobs": []}, "batch:DescribeJobs"),
        ("list_jobs", {"jobQueue": "queue"}, "batch:ListJobs"),
    ],
)
def test_batch_checks_the_callers_permissions(
    shim: RunningShim, monkeypatch: pytest.MonkeyPatch, operation: str, request_: dict[str, Any], action: str
) -> None:
    monkeypatch.setattr(shim.authority, "denied", {action})
    error = refused(lambda: getattr(shim.batch, operation)(**request_))["Error"]
    assert error["Code"] == "AccessDeniedException"
    assert f"is not authorized to perform: {action} on resource" in error["Message"]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"jobQueue": "none"}, "JobQueue none not found"),
        ({"jobDefinition": "none:3"}, "JobDefinition none:3 not found"),
        ({"dependsOn": [{"jobId": "none"}]}, "Job none not found"),
        ({"arrayProperties": {"size": 1}}, "Array size 1 is not between 2 and 10,000"),
        ({"arrayProperties": {"size": 10_001}}, "Array size 10001 is not between 2 and 10,000"),
        ({"dependsOn": [{"jobId": "x", "type": "N_TO_N"}]}, "does not support retry rules, dependency types"),
        ({"retryStrategy": {"attempts": 1, "evaluateOnExit": [{"action": "EXIT"}]}}, "does not support retry rules"),
    ],
)
def test_unsupported_submissions_are_refused(shim: RunningShim, request_: dict[str, Any], message: str) -> None:
    error = refused(lambda: shim.submit("0", **request_))["Error"]
    assert error["Code"] == "ClientException"
    assert message in error["Message"]


def test_unknown_operation_is_refused(shim: RunningShim) -> None:
    error = refused(lambda: shim.batch.describe_job_queues())["Error"]
    assert "no operation describejobqueues" in error["Message"]
