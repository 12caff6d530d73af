"""A permission that is missing in the account is missing here, and says its name."""

from __future__ import annotations

import json
import time

import pytest

from dropscore.jobs.job import State, job_id
from tests.e2e.conftest import WAIT_SECONDS, Hands


@pytest.mark.parametrize("action", ["sagemaker:InvokeEndpoint", "s3:GetObjectVersion"])
def test_job_fails_and_names_it_when_the_worker_lacks_a_permission(
    hands: Hands, sample: list[bytes], action: str
) -> None:
    body = b"\n".join(sample[:3]) + b"\n"
    with hands.without(hands.role("WorkerRole"), action):
        job = hands.ended(hands.drop("input/denied.csv", body))

    assert job.status is State.FAILED
    assert action in (job.message or ""), job
    assert hands.outputs("denied.csv") == []
    assert hands.ended(hands.drop("input/allowed.csv", body)).status is State.SUCCEEDED


def test_event_is_kept_when_submit_may_not_submit(hands: Hands, sample: list[bytes]) -> None:
    body = b"\n".join(sample[:3]) + b"\n"
    sqs, queue = hands.client("sqs"), hands.cloud.outputs["DeadLetterQueueUrl"]
    with hands.without(hands.role("IntakeSubmit"), "batch:SubmitJob"):
        put = hands.client("s3").put_object(Bucket=hands.bucket, Key="input/kept.csv", Body=body)
        identity = job_id(hands.bucket, "input/kept.csv", put["VersionId"])
        message = _message(sqs, queue)
    assert "input/kept.csv" in message
    job = hands.find(identity)
    assert job is not None
    assert job.status is State.CLAIMED
    assert hands.batch_jobs(identity) == []
    log = (hands.cloud.home / "logs" / "emulator.log").read_text()
    assert "is not authorized to perform: batch:SubmitJob on resource" in log

    event = json.loads(message)
    hands.client("lambda").invoke(
        FunctionName=hands.cloud.outputs["SubmitFunctionName"],
        Payload=json.dumps(event.get("requestPayload", event)),
    )
    assert hands.ended(identity).status is State.SUCCEEDED


def _message(sqs: object, queue: str) -> str:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        for message in sqs.receive_message(QueueUrl=queue).get("Messages", []):  # type: ignore[attr-defined]
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])  # type: ignore[attr-defined]
            return str(message["Body"])
        time.sleep(0.2)
    raise AssertionError("nothing reached the dead-letter queue")
