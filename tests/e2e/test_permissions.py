"""A permission that is missing in the account is also missing in the embedded cloud, and the error names it."""

from __future__ import annotations

import json
import time

import pytest

from dropscore.jobs.job import State, job_id
from tests.e2e.conftest import WAIT_SECONDS, Driver


@pytest.mark.parametrize("action", ["sagemaker:InvokeEndpoint", "s3:GetObjectVersion"])
def test_job_fails_and_names_it_when_the_worker_lacks_a_permission(
    driver: Driver, sample: list[bytes], action: str
) -> None:
    body = b"\n".join(sample[:3]) + b"\n"
    with driver.without(driver.role("WorkerRole"), action):
        job = driver.ended(driver.drop("input/denied.csv", body))

    assert job.status is State.FAILED
    assert action in (job.message or ""), job
    assert driver.outputs("denied.csv") == []
    assert driver.ended(driver.drop("input/allowed.csv", body)).status is State.SUCCEEDED


def test_event_is_kept_when_submit_may_not_submit(driver: Driver, sample: list[bytes]) -> None:
    body = b"\n".join(sample[:3]) + b"\n"
    sqs, queue = driver.client("sqs"), driver.cloud.outputs["DeadLetterQueueUrl"]
    with driver.without(driver.role("IntakeSubmit"), "batch:SubmitJob"):
        put = driver.client("s3").put_object(Bucket=driver.bucket, Key="input/kept.csv", Body=body)
        identity = job_id(driver.bucket, "input/kept.csv", put["VersionId"])
        message = _message(sqs, queue)
    assert "input/kept.csv" in message
    job = driver.find(identity)
    assert job is not None
    assert job.status is State.CLAIMED
    assert driver.batch_jobs(identity) == []
    log = (driver.cloud.home / "logs" / "emulator.log").read_text()
    assert "is not authorized to perform: batch:SubmitJob on resource" in log

    event = json.loads(message)
    driver.client("lambda").invoke(
        FunctionName=driver.cloud.outputs["SubmitFunctionName"],
        Payload=json.dumps(event.get("requestPayload", event)),
    )
    assert driver.ended(identity).status is State.SUCCEEDED


def _message(sqs: object, queue: str) -> str:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        for message in sqs.receive_message(QueueUrl=queue).get("Messages", []):  # type: ignore[attr-defined]
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])  # type: ignore[attr-defined]
            return str(message["Body"])
        time.sleep(0.2)
    raise AssertionError("nothing reached the dead-letter queue")
