"""The bucket: what is dropped, what is scored, and who is turned away at its door."""

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
"""Batch ends a Fargate job after 14 days: what it left unfinished before that may still be wanted."""
CAPTURED_FOR = Duration.days(30)
TLS = 1.2
ALGORITHM = "s3:x-amz-server-side-encryption"
KEY_ID = "s3:x-amz-server-side-encryption-aws-kms-key-id"
OWN_KEY = "s3:x-amz-server-side-encryption-customer-algorithm"
NO_ACCESS_LOGS = (
    "Server access logs are a setting (storage.access_logs), and so are CloudTrail data events (storage.data_events), "
    "which name the caller; an account that records either centrally would otherwise pay twice."
)


def data_bucket(
    scope: Construct, construct_id: str, *, key: kms.IKey, removal: RemovalPolicy, access_logs: s3.IBucket | None
) -> s3.Bucket:
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
    _announce_on_eventbridge(bucket)
    for name, conditions in _foreign_encryption(key).items():
        bucket.add_to_resource_policy(_no_put(name, bucket, conditions))
    if access_logs is None:
        accept(bucket, "AwsSolutions-S1", NO_ACCESS_LOGS)
    return with_its_policy(bucket, removal)


def with_its_policy(bucket: s3.Bucket, removal: RemovalPolicy) -> s3.Bucket:
    """The policy goes or stays with the bucket: without it a kept bucket would take plain HTTP and foreign keys."""
    if bucket.policy is None:
        raise ValueError(f"{bucket.node.path} has no policy")
    bucket.policy.apply_removal_policy(removal)
    return bucket


def _foreign_encryption(key: kms.IKey) -> dict[str, Mapping[str, Mapping[str, str]]]:
    """How a put can ask for another encryption than ours. One that does not ask gets the bucket's default: our key.

    A negated condition is also true of a header that is absent: hence the `Null` beside each.
    """
    # The usual policy denies every put without the header. It predates default encryption: most clients send none now.
    return {
        "OtherAlgorithm": {"Null": {ALGORITHM: "false"}, "StringNotEquals": {ALGORITHM: "aws:kms"}},
        "OtherKey": {"Null": {KEY_ID: "false"}, "StringNotEquals": {KEY_ID: key.key_arn}},
        # S3 then takes the account's key `aws/s3`, not the bucket's default.
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
    """S3 takes the shorter time where two rules meet. It also removes delete markers that hide nothing any more."""
    everything = s3.LifecycleRule(
        abort_incomplete_multipart_upload_after=LONGEST_JOB,
        noncurrent_version_expiration=Duration.days(90),
        expired_object_delete_marker=True,
    )
    # Parts expire because no role may delete objects; a slow job's parts are needed for as long as Fargate runs it.
    return [everything, _forget(PARTS, LONGEST_JOB), _forget(CAPTURE, CAPTURED_FOR)]


def _forget(prefix: str, after: Duration) -> s3.LifecycleRule:
    return s3.LifecycleRule(prefix=prefix, expiration=after, noncurrent_version_expiration=Duration.days(1))


def _announce_on_eventbridge(bucket: s3.Bucket) -> None:
    """`event_bridge_enabled=True` would add a custom resource with a Lambda of its own; this adds none."""
    resource = cast(s3.CfnBucket, bucket.node.default_child)
    resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
        event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(event_bridge_enabled=True)
    )
