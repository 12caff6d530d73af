from __future__ import annotations

import json

import pytest
from aws_cdk.assertions import Match, Template

from tests.stacks.building import Templates, only, properties
from tests.stacks.conftest import Build

HOLDERS = {"AWS::KMS::Key", "AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::DynamoDB::Table"}
"""A retained bucket keeps its policy, which refuses plain HTTP and foreign keys."""


def test_the_bucket_is_private_versioned_and_encrypted_with_our_key(templates: Templates) -> None:
    bucket = only(templates.storage, "AWS::S3::Bucket")
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    (encryption,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["BucketKeyEnabled"] is True
    assert encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert "Fn::GetAtt" in encryption["ServerSideEncryptionByDefault"]["KMSMasterKeyID"]


def test_the_bucket_refuses_plain_http(templates: Templates) -> None:
    Template.from_json(templates.storage).has_resource_properties(
        "AWS::S3::BucketPolicy",
        {
            "PolicyDocument": {
                "Statement": Match.array_with(
                    [
                        Match.object_like(
                            {
                                "Effect": "Deny",
                                "Action": "s3:*",
                                "Principal": {"AWS": "*"},
                                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                            }
                        )
                    ]
                )
            }
        },
    )


def test_the_bucket_announces_new_objects_without_a_custom_resource(templates: Templates) -> None:
    bucket = only(templates.storage, "AWS::S3::Bucket")
    assert bucket["NotificationConfiguration"] == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
    assert not properties(templates.storage, "AWS::Lambda::Function")


def test_the_bucket_forgets_unfinished_uploads_and_old_versions(templates: Templates) -> None:
    everything, *_ = only(templates.storage, "AWS::S3::Bucket")["LifecycleConfiguration"]["Rules"]
    assert everything == {
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 15},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 90},
        "ExpiredObjectDeleteMarker": True,
        "Status": "Enabled",
    }


@pytest.mark.parametrize(("prefix", "days"), [("parts/", 15), ("capture/", 30)])
def test_the_bucket_forgets_parts_once_no_job_can_want_them_and_captured_requests(
    templates: Templates, prefix: str, days: int
) -> None:
    _, *prefixed = only(templates.storage, "AWS::S3::Bucket")["LifecycleConfiguration"]["Rules"]
    (rule,) = [rule for rule in prefixed if rule["Prefix"] == prefix]
    assert rule == {
        "Prefix": prefix,
        "ExpirationInDays": days,
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
        "Status": "Enabled",
    }


def test_the_jobs_table_is_keyed_by_job_and_found_by_file_and_by_status(templates: Templates) -> None:
    table = only(templates.storage, "AWS::DynamoDB::Table")
    assert table["KeySchema"] == [{"AttributeName": "job_id", "KeyType": "HASH"}]
    assert {index["IndexName"]: _keys(index) for index in table["GlobalSecondaryIndexes"]} == {
        "by_file": ["file", "submitted_at"],
        "by_status": ["status", "submitted_at"],
    }
    assert {index["Projection"]["ProjectionType"] for index in table["GlobalSecondaryIndexes"]} == {"ALL"}


def test_the_jobs_table_costs_by_use_and_can_be_restored(templates: Templates) -> None:
    table = only(templates.storage, "AWS::DynamoDB::Table")
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["SSESpecification"]["SSEType"] == "KMS"
    assert "Fn::GetAtt" in table["SSESpecification"]["KMSMasterKeyId"]


def test_what_is_protected_cannot_be_deleted_by_mistake(templates: Templates, build_template: Build) -> None:
    protected = build_template({"deploy.retain_data": True, "deploy.termination_protection": True})
    for built, expected in ((templates, False), (protected, True)):
        assert only(built.storage, "AWS::DynamoDB::Table")["DeletionProtectionEnabled"] is expected
        manifest = json.loads((built.outdir / "manifest.json").read_text())["artifacts"].values()
        stacks = [each["properties"] for each in manifest if each["type"] == "aws:cloudformation:stack"]
        assert len(stacks) >= 3
        assert {each.get("terminationProtection", False) for each in stacks} == {expected}


def test_jobs_expire_when_a_time_is_set(templates: Templates) -> None:
    table = only(templates.storage, "AWS::DynamoDB::Table")
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


def test_jobs_stay_for_ever_when_the_time_is_zero(build_template: Build) -> None:
    kept = build_template({"storage.job_ttl_days": 0, "deploy.retain_data": True})
    assert "TimeToLiveSpecification" not in only(kept.storage, "AWS::DynamoDB::Table")


def test_data_goes_with_the_stack_unless_kept(build_template: Build) -> None:
    recorded = {"storage.access_logs": True, "storage.data_events": True}
    going, kept = build_template(recorded), build_template({**recorded, "deploy.retain_data": True})
    for stack, policy in ((going.storage, "Delete"), (kept.storage, "Retain")):
        holders = [each for each in stack["Resources"].values() if each["Type"] in HOLDERS]
        assert {each["Type"] for each in holders} == HOLDERS
        assert {each["DeletionPolicy"] for each in holders} == {policy}
        assert {each["UpdateReplacePolicy"] for each in holders} == {policy}


def test_the_outputs_that_the_command_line_reads(templates: Templates) -> None:
    named = {"BucketName", "JobsTableName", "KeyArn", "OperationsKeyArn"}
    granted = {"UploadersPolicyArn", "ReadersPolicyArn", "OperatorsRoleArn"}
    assert named | granted <= set(templates.storage["Outputs"])


def _keys(index: dict[str, list[dict[str, str]]]) -> list[str]:
    return [key["AttributeName"] for key in index["KeySchema"]]


def test_further_tags_are_on_everything_that_carries_the_environments(build_template: Build) -> None:
    tagged = 0
    for template in build_template({"deploy.tags": {"team": "risk"}}).every.values():
        for name, resource in template["Resources"].items():
            tags = resource.get("Properties", {}).get("Tags", [])
            keys = set(tags) if isinstance(tags, dict) else {tag["Key"] for tag in tags}
            takes_more = (
                resource["Type"] != "AWS::Batch::ComputeEnvironment"
            )  # tests/stacks/scoring/test_compute.py explains why
            assert ("team" in keys) == ("dropscore:env" in keys and takes_more), name
            tagged += "team" in keys
    assert tagged > 30
