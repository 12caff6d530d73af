"""The records of access to files, where they are kept, and who may write there."""

from __future__ import annotations

import pytest

from tests.stacks.building import Json, Templates, only, properties, rendered
from tests.stacks.conftest import Build

LOGS, EVENTS = {"storage.access_logs": True}, {"storage.data_events": True}
ACCOUNT = {"Ref": "AWS::AccountId"}


def _allowed(template: Json, bucket: str) -> list[Json]:
    policy = only(template, "AWS::S3::BucketPolicy", bucket)["PolicyDocument"]["Statement"]
    return [statement for statement in policy if statement["Effect"] == "Allow"]


def test_nothing_is_recorded_unless_it_is_said(templates: Templates) -> None:
    assert len(properties(templates.storage, "AWS::S3::Bucket")) == 1
    assert "LoggingConfiguration" not in only(templates.storage, "AWS::S3::Bucket")
    assert not properties(templates.storage, "AWS::CloudTrail::Trail")


@pytest.mark.parametrize("overrides", [LOGS, EVENTS, LOGS | EVENTS])
def test_a_bucket_of_logs_is_private_versioned_encrypted_and_forgets(
    build_template: Build, overrides: dict[str, object]
) -> None:
    buckets = properties(build_template(overrides).storage, "AWS::S3::Bucket")
    assert len(buckets) == 1 + len(overrides)
    for name, bucket in buckets.items():
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}, name
        assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}, name
        if name != "Bucket83908E77":
            assert {rule.get("ExpirationInDays") for rule in bucket["LifecycleConfiguration"]["Rules"]} == {400, None}


def test_access_logs_go_where_s3_can_deliver_them_and_only_s3_may(build_template: Build) -> None:
    storage = build_template(LOGS | EVENTS).storage
    (encryption,) = only(storage, "AWS::S3::Bucket", "AccessLogs")["BucketEncryption"][
        "ServerSideEncryptionConfiguration"
    ]
    assert encryption["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}  # required for delivery by S3
    for bucket, prefix in (("Bucket83908E77", "data/"), ("DataEventsBucket", "trail/")):
        logging = only(storage, "AWS::S3::Bucket", bucket)["LoggingConfiguration"]
        assert (logging["LogFilePrefix"], "AccessLogs" in rendered(logging["DestinationBucketName"])) == (prefix, True)
    for statement in _allowed(storage, "AccessLogsPolicy"):
        assert statement["Principal"] == {"Service": "logging.s3.amazonaws.com"}
        assert statement["Action"] == "s3:PutObject"
        assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}
        assert "Bucket" in rendered(statement["Condition"]["ArnLike"]["aws:SourceArn"])


def test_the_trail_records_the_files_of_our_bucket_and_nothing_else(build_template: Build) -> None:
    trail = only(build_template(EVENTS).storage, "AWS::CloudTrail::Trail")
    (selector,) = trail["AdvancedEventSelectors"]
    fields = {each["Field"]: each for each in selector["FieldSelectors"]}
    assert fields["eventCategory"]["Equals"] == ["Data"]
    assert fields["resources.type"]["Equals"] == ["AWS::S3::Object"]
    assert [rendered(each) for each in fields["resources.ARN"]["StartsWith"]] == ["sample-Bucket83908E77-Arn/"]
    assert trail["IsLogging"] is True
    assert trail["EnableLogFileValidation"] is True
    assert "OperationsKey" in rendered(trail["KMSKeyId"])


def test_only_trails_of_this_account_write_into_the_trails_bucket(build_template: Build) -> None:
    storage = build_template(EVENTS).storage
    trails = "arn:sample-AWS::Partition:cloudtrail:sample-AWS::Region:sample-AWS::AccountId:trail/*"
    keyed = only(storage, "AWS::KMS::Key", "OperationsKey")["KeyPolicy"]["Statement"]
    statements = [*_allowed(storage, "DataEventsBucketPolicy"), *keyed]
    ours = [each for each in statements if each["Principal"] == {"Service": "cloudtrail.amazonaws.com"}]
    assert [each["Action"] for each in ours] == [
        "s3:GetBucketAcl",
        "s3:PutObject",
        ["kms:DescribeKey", "kms:GenerateDataKey"],
    ]
    for statement in ours:
        assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}
        assert rendered(statement["Condition"]["ArnLike"]["aws:SourceArn"]) == trails
    (trail,) = [each for each in storage["Resources"].values() if each["Type"] == "AWS::CloudTrail::Trail"]
    assert [each for each in trail["DependsOn"] if "DataEventsBucketPolicy" in each]


def test_where_a_bucket_of_logs_is_the_outputs_say(build_template: Build, templates: Templates) -> None:
    names = {"AccessLogBucketName", "TrailBucketName"}
    assert names <= set(build_template(LOGS | EVENTS).storage["Outputs"])
    assert names.isdisjoint(templates.storage["Outputs"])
