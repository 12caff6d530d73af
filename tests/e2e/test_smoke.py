"""The proof in an account, tried on the embedded cloud: on one that keeps its promises, and on one that does not."""

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
def there(driver: Driver) -> Deployment:
    """As an administrator sees it: the emulator lets root pass by what the bucket denies, as AWS does not."""
    person = user(driver)
    iam = driver.client("iam")
    name = person.client("sts").get_caller_identity()["Arn"].rpartition("/")[2]
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
    iam.put_user_policy(UserName=name, PolicyName="everything", PolicyDocument=document)
    session = boto3.Session(region_name=REGION, **person.keys)  # type: ignore[arg-type]
    return embedded(session, driver.cloud.outputs, driver.cloud.endpoint_url)


def test_every_proof_holds(there: Deployment, driver: Driver, capsys: pytest.CaptureFixture[str]) -> None:
    assert smoke(there, DEMO / "sample.csv", DEMO / "model.tar.gz") == 0
    said = capsys.readouterr().out
    assert "NOT KEPT" not in said
    assert "promises with a witness here: 1, 2, 3, 5, 6, 7, 8, 9, 10, 13" in said
    assert [key for key in driver.outputs("sample.csv") if "smoke-" in key] == []


def test_what_is_not_kept_is_said_and_fails(
    there: Deployment, driver: Driver, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = expected_scores(DEMO / "model.tar.gz", DEMO / "sample.csv") + 1
    monkeypatch.setattr("tools.smoke.__main__.expected_scores", lambda *_: wrong)
    driver.client("sqs").send_message(QueueUrl=driver.cloud.outputs["DeadLetterQueueUrl"], MessageBody="{}")
    try:
        assert smoke(there, DEMO / "sample.csv", DEMO / "model.tar.gz") == 1
    finally:
        driver.client("sqs").purge_queue(QueueUrl=driver.cloud.outputs["DeadLetterQueueUrl"])
    said = capsys.readouterr().out
    assert "NOT KEPT  a dropped file is scored, row for row as the model scores it here: the scores differ" in said
    assert "NOT KEPT  the dead-letter queue is empty: 1 events lie in the dead-letter queue" in said
    assert "promises in doubt: 2" in said
