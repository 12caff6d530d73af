from __future__ import annotations

from typing import Any

import pytest

from tools.checks.findings import CheckError
from tools.checks.rendering import Account

TEMPLATES: dict[str, dict[str, Any]] = {
    "Storage": {
        "Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}, "Key": {"Type": "AWS::KMS::Key"}},
        "Outputs": {
            "Arn": {
                "Value": {"Fn::GetAtt": ["Bucket", "Arn"]},
                "Export": {"Name": {"Fn::Sub": "storage-${AWS::Region}"}},
            }
        },
    },
    "Scoring": {
        "Resources": {
            "Queue": {"Type": "AWS::SQS::Queue"},
            "Jobs": {"Type": "AWS::Batch::JobDefinition"},
            "Table": {"Type": "AWS::DynamoDB::Table"},
            "Odd": {"Type": "AWS::Odd::Thing"},
        }
    },
}
JOBS = "arn:aws:batch:us-east-1:123456789012:job-definition/jobs:1"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/table"


@pytest.mark.parametrize(
    ("value", "rendered"),
    [
        ("as it is", "as it is"),
        (3, 3),
        ({"Ref": "AWS::AccountId"}, "123456789012"),
        ({"Ref": "Queue"}, "queue"),
        ({"Ref": "Jobs"}, JOBS),
        ({"Fn::GetAtt": ["Queue", "Arn"]}, "arn:aws:sqs:us-east-1:123456789012:queue"),
        ({"Fn::GetAtt": ["Queue", "QueueName"]}, "queue"),
        ({"Fn::GetAtt": ["Table", "StreamArn"]}, f"{TABLE}/stream/2026"),
        ({"Fn::ImportValue": "storage-us-east-1"}, "arn:aws:s3:::bucket"),
        ({"Fn::Join": ["", [{"Fn::ImportValue": "storage-us-east-1"}, "/input/*"]]}, "arn:aws:s3:::bucket/input/*"),
        ({"Fn::Sub": "${AWS::Partition}:${Queue}:${Queue.Arn}"}, "aws:queue:arn:aws:sqs:us-east-1:123456789012:queue"),
        ({"Fn::Select": [1, {"Fn::Split": ["/", {"Ref": "Jobs"}]}]}, "jobs:1"),
        ({"Resource": [{"Ref": "Queue"}]}, {"Resource": ["queue"]}),
    ],
)
def test_a_reference_becomes_what_it_would_be(value: object, rendered: object) -> None:
    assert Account(TEMPLATES).render(value, "Scoring") == rendered


def test_a_key_has_the_same_id_in_its_name_and_its_arn() -> None:
    account = Account(TEMPLATES)
    name = account.render({"Ref": "Key"}, "Storage")
    assert account.arn("Key", "Storage").endswith(f":key/{name}")


def test_what_it_does_not_know_is_said_and_not_guessed() -> None:
    account = Account(TEMPLATES)
    with pytest.raises(CheckError, match=r"Scoring/Odd: .* has no ARN for AWS::Odd::Thing"):
        account.render({"Fn::GetAtt": ["Odd", "Arn"]}, "Scoring")
    with pytest.raises(CheckError, match="cannot render Fn::Cidr"):
        account.render({"Fn::Cidr": ["10.0.0.0/16", 2, 8]}, "Scoring")
