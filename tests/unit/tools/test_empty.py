from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from tools import empty

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import LoggingEnabledTypeDef

TEMPLATE = {
    "Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}},
    "Outputs": {"BucketName": {"Value": {"Ref": "Bucket"}}},
}


@pytest.fixture
def s3() -> Iterator[S3Client]:
    with mock_aws():
        yield boto3.client("s3")


def _deployed(s3: S3Client) -> str:
    boto3.client("cloudformation").create_stack(StackName="dropscore-dev-storage", TemplateBody=json.dumps(TEMPLATE))
    bucket = s3.list_buckets()["Buckets"][0]["Name"]
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"2"):
        s3.put_object(Bucket=bucket, Key="input/a.csv", Body=body)
    return bucket


def _count(s3: S3Client, bucket: str) -> int:
    return len(s3.list_object_versions(Bucket=bucket).get("Versions", []))


def test_every_version_goes_when_the_user_agrees(s3: S3Client, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = _deployed(s3)
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    assert empty.main() == 0
    assert _count(s3, bucket) == 0


@pytest.mark.parametrize("answer", ["no\n", "y\n", ""])
def test_nothing_goes_otherwise(s3: S3Client, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    bucket = _deployed(s3)
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert empty.main() == 1
    assert _count(s3, bucket) == 2


@pytest.mark.parametrize("name", ["scoring", "hosting"])
def test_nothing_goes_while_another_stack_uses_it(
    s3: S3Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Whoever answers no when `make destroy` asks for these stacks keeps the files as well."""
    bucket = _deployed(s3)
    other = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
    boto3.client("cloudformation").create_stack(StackName=f"dropscore-dev-{name}", TemplateBody=json.dumps(other))
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    assert empty.main() == 1
    assert f"dropscore-dev-{name} still use the bucket" in capsys.readouterr().err
    assert _count(s3, bucket) == 2


def test_destroy_empties_between_the_users_and_the_storage() -> None:
    makefile = (Path(__file__).parents[3] / "Makefile").read_text()
    rule = makefile.partition("\ndestroy:")[2].partition("\n\n")[0]
    steps = ["cdk destroy Scoring Hosting", "tools.empty", "cdk destroy --all"]
    assert sorted(steps, key=rule.index) == steps


def test_nothing_deployed_is_nothing_to_empty(s3: S3Client, capsys: pytest.CaptureFixture[str]) -> None:
    assert empty.main() == 0
    assert "there is no stack dropscore-dev-storage" in capsys.readouterr().err


def test_what_was_recorded_goes_last_and_nothing_more_is_recorded(
    s3: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("BucketName", "AccessLogBucketName", "TrailBucketName")
    buckets = {name: {"Type": "AWS::S3::Bucket"} for name in names}
    outputs = {name: {"Value": {"Ref": name}} for name in names}
    template = {"Resources": buckets, "Outputs": outputs}
    stack = boto3.client("cloudformation")
    stack.create_stack(StackName="dropscore-dev-storage", TemplateBody=json.dumps(template))
    for each in s3.list_buckets()["Buckets"]:
        s3.put_object(Bucket=each["Name"], Key="a", Body=b"")
    s3.create_bucket(Bucket="kept-logs")
    write = {"Effect": "Allow", "Principal": {"Service": "logging.s3.amazonaws.com"}, "Action": "s3:PutObject"}
    allowed = {"Version": "2012-10-17", "Statement": [{**write, "Resource": "arn:aws:s3:::kept-logs/*"}]}
    s3.put_bucket_policy(Bucket="kept-logs", Policy=json.dumps(allowed))
    enabled: LoggingEnabledTypeDef = {"TargetBucket": "kept-logs", "TargetPrefix": "x/"}
    deployed = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"] if bucket["Name"] != "kept-logs"]
    for bucket in deployed:
        s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={"LoggingEnabled": enabled})
    cloudtrail = boto3.client("cloudtrail")
    cloudtrail.create_trail(Name="trail", S3BucketName=deployed[0])
    s3.create_bucket(Bucket="of-others")
    cloudtrail.create_trail(Name="of-others", S3BucketName="of-others")
    cloudtrail.start_logging(Name="of-others")
    cloudtrail.start_logging(Name="trail")

    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    assert empty.main() == 0
    for bucket in deployed:
        assert _count(s3, bucket) == 0
        assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)
    assert cloudtrail.get_trail_status(Name="trail")["IsLogging"] is False
    assert cloudtrail.get_trail_status(Name="of-others")["IsLogging"] is True
