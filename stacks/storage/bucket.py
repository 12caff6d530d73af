"""The data bucket: inputs, parts and outputs, and the policy that rejects foreign encryption."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from schema.keys import CAPTURE, PARTS
from stacks.constructs.findings import accept

LONGEST_JOB = Duration.days(15)
"""Batch ends a Fargate job after 14 days; until then the job may need its parts and unfinished uploads."""
CAPTURE_RETENTION = Duration.days(30)
TLS = 1.2
ALGORITHM = "s3:x-amz-server-side-encryption"
KEY_ID = "s3:x-amz-server-side-encryption-aws-kms-key-id"
OWN_KEY = "s3:x-amz-server-side-encryption-customer-algorithm"
NO_ACCESS_LOGS = (
    "Server access logs (storage.access_logs) and CloudTrail data events (storage.data_events), which name the caller, "
    "are optional: an account that records either centrally would otherwise pay twice."
)


def data_bucket(
    scope: Construct, construct_id: str, *, key: kms.IKey, removal: RemovalPolicy, access_logs: s3.IBucket | None
) -> s3.Bucket:
    # Versioned, because the id of a job is a digest of bucket, key and version id (decision 0002).
    bucket = s3.Bucket(
        scope,
        construct_id,
        versioned=True,
        encryption=s3.BucketEncryption.KMS,
        encryption_key=key,
        bucket_key_enabled=True,
        enforce_ssl=True,
        minimum_tls_version=TLS,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        removal_policy=removal,
        lifecycle_rules=_lifecycle(),
        server_access_logs_bucket=access_logs,
        server_access_logs_prefix="data/" if access_logs else None,
    )
    _send_events_to_eventbridge(bucket)
    for name, conditions in _foreign_encryption(key).items():
        bucket.add_to_resource_policy(_no_put(name, bucket, conditions))
    if access_logs is None:
        accept(bucket, "AwsSolutions-S1", NO_ACCESS_LOGS)
    return keep_policy_with_bucket(bucket, removal)


def keep_policy_with_bucket(bucket: s3.Bucket, removal: RemovalPolicy) -> s3.Bucket:
    """Retain the policy with the bucket: without it, a retained bucket would accept plain HTTP and foreign keys."""
    if bucket.policy is None:
        raise ValueError(f"{bucket.node.path} has no policy")
    bucket.policy.apply_removal_policy(removal)
    return bucket


def _foreign_encryption(key: kms.IKey) -> dict[str, Mapping[str, Mapping[str, str]]]:
    """Return conditions for puts that request another encryption. A put without a header gets the default: our key.

    A negated condition is also true if the header is absent, so each has a `Null` condition beside it.
    """
    # The usual policy denies puts without the header. It predates default encryption: most clients no longer send it.
    return {
        "OtherAlgorithm": {"Null": {ALGORITHM: "false"}, "StringNotEquals": {ALGORITHM: "aws:kms"}},
        "OtherKey": {"Null": {KEY_ID: "false"}, "StringNotEquals": {KEY_ID: key.key_arn}},
        # S3 then uses the account's key `aws/s3`, not the bucket's default.
        "UnnamedKey": {"Null": {KEY_ID: "true"}, "StringEquals": {ALGORITHM: "aws:kms"}},
        "CustomersKey": {"Null": {OWN_KEY: "false"}},
    }


def _no_put(name: str, bucket: s3.IBucket, conditions: Mapping[str, Mapping[str, str]]) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        sid=name,
        effect=iam.Effect.DENY,
        principals=[iam.AnyPrincipal()],
        actions=["s3:PutObject"],
        resources=[bucket.arn_for_objects("*")],
        conditions=conditions,
    )


def _lifecycle() -> list[s3.LifecycleRule]:
    """If two rules apply, S3 uses the shorter time. It also removes delete markers that hide no version."""
    everything = s3.LifecycleRule(
        abort_incomplete_multipart_upload_after=LONGEST_JOB,
        noncurrent_version_expiration=Duration.days(90),
        expired_object_delete_marker=True,
    )
    # Parts expire because no role may delete objects; a slow job needs its parts for as long as Fargate runs it.
    return [everything, _expire(PARTS, LONGEST_JOB), _expire(CAPTURE, CAPTURE_RETENTION)]


def _expire(prefix: str, after: Duration) -> s3.LifecycleRule:
    return s3.LifecycleRule(prefix=prefix, expiration=after, noncurrent_version_expiration=Duration.days(1))


def _send_events_to_eventbridge(bucket: s3.Bucket) -> None:
    """Set the property directly: `event_bridge_enabled=True` would add a custom resource with a Lambda function."""
    resource = cast(s3.CfnBucket, bucket.node.default_child)
    resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
        event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(event_bridge_enabled=True)
    )
