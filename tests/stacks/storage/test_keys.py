"""Who may use which key, and that everything that stores data is encrypted with one of our keys."""

from __future__ import annotations

import pytest

from tests.stacks.building import Json, Templates, listed, only, properties, rendered
from tests.stacks.conftest import Build

ACCOUNT = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
KEPT = {
    "AWS::Logs::LogGroup": "KmsKeyId",
    "AWS::SQS::Queue": "KmsMasterKeyId",
    "AWS::SNS::Topic": "KmsMasterKeyId",
}


def _services(key: Json) -> dict[str, Json]:
    return {
        rendered(service): statement
        for statement in key["KeyPolicy"]["Statement"]
        for service in listed(statement["Principal"].get("Service", []))
    }


def test_every_key_rotates_and_names_whom_it_lets_in(build_template: Build) -> None:
    templates = build_template({"storage.access_logs": True, "storage.data_events": True})
    keys = [key for template in templates.every.values() for key in properties(template, "AWS::KMS::Key").values()]
    assert len(keys) >= 2
    for key in keys:
        assert key["EnableKeyRotation"] is True
        for statement in key["KeyPolicy"]["Statement"]:
            principals = [rendered(each) for kind in statement["Principal"].values() for each in listed(kind)]
            assert not [each for each in principals if "*" in each]
            assert "Condition" in statement or principals == [
                "arn:sample-AWS::Partition:iam::sample-AWS::AccountId:root"
            ]


def test_no_service_comes_to_the_data_under_its_own_name(templates: Templates) -> None:
    assert _services(only(templates.storage, "AWS::KMS::Key", "Key961B73FD")) == {}


def test_each_service_may_use_the_operations_key_for_this_account_only(templates: Templates) -> None:
    services = _services(only(templates.storage, "AWS::KMS::Key", "OperationsKey"))
    logs = services.pop("logs.sample-AWS::Region.sample-AWS::URLSuffix")["Condition"]["ArnLike"]
    assert set(services) == {"events.amazonaws.com", "cloudwatch.amazonaws.com"}
    assert [each["Condition"] for each in services.values()] == [ACCOUNT, ACCOUNT]
    ours = "arn:sample-AWS::Partition:logs:sample-AWS::Region:sample-AWS::AccountId:log-group:*"
    assert {name: rendered(value) for name, value in logs.items()} == {"kms:EncryptionContext:aws:logs:arn": ours}


@pytest.mark.parametrize("overrides", [{}, {"deploy.images": "codebuild"}])
def test_logs_queues_and_topics_are_encrypted_with_the_operations_key(
    build_template: Build, overrides: dict[str, object]
) -> None:
    found = 0
    for template in build_template(overrides).every.values():
        for kind, attribute in KEPT.items():
            for name, keeper in properties(template, kind).items():
                assert "OperationsKey" in rendered(keeper[attribute]), name
                found += 1
    assert found >= 8
