from __future__ import annotations

from aws_cdk.assertions import Match, Template

from tests.stacks.building import Templates, only, properties
from tests.stacks.conftest import Build


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
    everything, _ = only(templates.storage, "AWS::S3::Bucket")["LifecycleConfiguration"]["Rules"]
    assert everything == {
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 15},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 90},
        "ExpiredObjectDeleteMarker": True,
        "Status": "Enabled",
    }


def test_the_bucket_forgets_parts_once_no_job_can_want_them(templates: Templates) -> None:
    _, parts = only(templates.storage, "AWS::S3::Bucket")["LifecycleConfiguration"]["Rules"]
    assert parts == {
        "Prefix": "parts/",
        "ExpirationInDays": 15,
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
        "Status": "Enabled",
    }


def test_the_key_rotates_and_lets_only_this_accounts_event_service_in(templates: Templates) -> None:
    key = only(templates.storage, "AWS::KMS::Key")
    assert key["EnableKeyRotation"] is True
    services = [each for each in key["KeyPolicy"]["Statement"] if "Service" in each["Principal"]]
    assert [each["Principal"] for each in services] == [{"Service": "events.amazonaws.com"}]
    assert services[0]["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


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


def test_jobs_expire_when_a_time_is_set(templates: Templates) -> None:
    table = only(templates.storage, "AWS::DynamoDB::Table")
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


def test_jobs_stay_for_ever_when_the_time_is_zero(build_template: Build) -> None:
    kept = build_template({"storage.job_ttl_days": 0, "deploy.keep_data": True})
    assert "TimeToLiveSpecification" not in only(kept.storage, "AWS::DynamoDB::Table")


def test_data_goes_with_the_stack_unless_kept(templates: Templates, build_template: Build) -> None:
    kept = build_template({"storage.job_ttl_days": 0, "deploy.keep_data": True})
    for stack, policy in ((templates.storage, "Delete"), (kept.storage, "Retain")):
        holders = [each for each in stack["Resources"].values() if each["Type"] != "AWS::S3::BucketPolicy"]
        assert [each["Type"].split("::")[1] for each in holders] == ["KMS", "S3", "DynamoDB"]
        assert {each["DeletionPolicy"] for each in holders} == {policy}
        assert {each["UpdateReplacePolicy"] for each in holders} == {policy}


def test_the_outputs_that_the_command_line_reads(templates: Templates) -> None:
    assert {"BucketName", "JobsTableName", "KeyArn"} <= set(templates.storage["Outputs"])


def _keys(index: dict[str, list[dict[str, str]]]) -> list[str]:
    return [key["AttributeName"] for key in index["KeySchema"]]
