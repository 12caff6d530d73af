"""The smoke test on the embedded cloud: on a working deployment and on a broken one."""

from __future__ import annotations

import json

import boto3
import pytest

from dropscore.cli.deployment import Deployment, embedded
from local.deployment.account import REGION
from tests.e2e.conftest import DEMO, Driver
from tests.e2e.people import user
from tools.smoke.__main__ import smoke
from tools.smoke.expected import expected_scores


@pytest.fixture(scope="module")
def deployed(driver: Driver) -> Deployment:
    """The deployment with root's credentials; unlike AWS, the emulator lets root bypass the bucket's denials."""
    person = user(driver)
    iam = driver.client("iam")
    name = person.client("sts").get_caller_identity()["Arn"].rpartition("/")[2]
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
    iam.put_user_policy(UserName=name, PolicyName="everything", PolicyDocument=document)
    session = boto3.Session(region_name=REGION, **person.keys)  # type: ignore[arg-type]
    return embedded(session, driver.cloud.outputs, driver.cloud.endpoint_url)


def test_every_check_passes(deployed: Deployment, driver: Driver, capsys: pytest.CaptureFixture[str]) -> None:
    assert smoke(deployed, DEMO / "sample.csv", DEMO / "model.tar.gz") == 0
    output = capsys.readouterr().out
    assert "FAILED" not in output
    assert "promises tested here: 1, 2, 3, 5, 6, 7, 8, 9, 10, 13" in output
    assert [key for key in driver.outputs("sample.csv") if "smoke-" in key] == []


def test_a_failed_check_is_reported(
    deployed: Deployment, driver: Driver, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = expected_scores(DEMO / "model.tar.gz", DEMO / "sample.csv") + 1
    monkeypatch.setattr("tools.smoke.__main__.expected_scores", lambda *_: wrong)
    driver.client("sqs").send_message(QueueUrl=driver.cloud.outputs["DeadLetterQueueUrl"], MessageBody="{}")
    try:
        assert smoke(deployed, DEMO / "sample.csv", DEMO / "model.tar.gz") == 1
    finally:
        driver.client("sqs").purge_queue(QueueUrl=driver.cloud.outputs["DeadLetterQueueUrl"])
    output = capsys.readouterr().out
    assert "FAILED  an input is scored exactly as the model scores it here: the scores differ" in output
    assert "FAILED  the dead-letter queue is empty: 1 events are in the dead-letter queue" in output
    assert "promises not confirmed: 2" in output
