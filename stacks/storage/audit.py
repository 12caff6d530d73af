"""Audit of access to objects: server access logs and CloudTrail data events, each in its own bucket."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_cloudtrail as cloudtrail
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.constructs.findings import accept
from stacks.storage.bucket import NO_ACCESS_LOGS, TLS, keep_policy_with_bucket

RETENTION = Duration.days(400)
"""A year, and some time to review it."""
SSE_S3_REASON = "S3 cannot deliver server access logs to a bucket with a default KMS key; SSE-S3 encrypts them."
TRAIL_REASON = (
    "Data events serve later investigations: a bucket stores them, validated and encrypted, for a fraction of "
    "CloudWatch's price. Alarms on them belong to the account's own trail."
)


def access_log_bucket(scope: Construct, construct_id: str, *, removal: RemovalPolicy) -> s3.Bucket:
    """Return the bucket for access logs, with SSE-S3. The logs contain keys of objects, not their contents."""
    bucket = _log_bucket(scope, construct_id, removal=removal, encryption=s3.BucketEncryption.S3_MANAGED)
    accept(bucket, "NIST.800.53.R5-S3DefaultEncryptionKMS", SSE_S3_REASON)
    return bucket


class DataEvents(Construct):
    """A trail of every read and write of the objects in `bucket` only."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        bucket: s3.IBucket,
        key: kms.IKey,
        removal: RemovalPolicy,
        access_logs: s3.IBucket | None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.bucket = _log_bucket(
            self,
            "Bucket",
            removal=removal,
            encryption=s3.BucketEncryption.KMS,
            encryption_key=key,
            server_access_logs_bucket=access_logs,
            server_access_logs_prefix="trail/" if access_logs else None,
        )
        if access_logs is None:
            accept(self.bucket, "AwsSolutions-S1", NO_ACCESS_LOGS)
        self._allow_cloudtrail_to_write()
        trail = cloudtrail.CfnTrail(
            self,
            "Trail",
            is_logging=True,
            s3_bucket_name=self.bucket.bucket_name,
            kms_key_id=key.key_arn,
            enable_log_file_validation=True,
            advanced_event_selectors=[_objects_of(bucket)],
        )
        accept(trail, "NIST.800.53.R5-CloudTrailCloudWatchLogsEnabled", TRAIL_REASON)
        # CloudTrail checks that it may write to the bucket when the trail is created.
        if self.bucket.policy:
            trail.node.add_dependency(self.bucket.policy)

    def _allow_cloudtrail_to_write(self) -> None:
        """Allow all trails of this account: CloudFormation names this trail only after it makes the bucket's policy."""
        stack = Stack.of(self)
        trails = stack.format_arn(service="cloudtrail", resource="trail", resource_name="*")
        ours = {"StringEquals": {"aws:SourceAccount": stack.account}, "ArnLike": {"aws:SourceArn": trails}}
        logs = self.bucket.arn_for_objects(f"AWSLogs/{stack.account}/*")
        for action, resource in {"s3:GetBucketAcl": self.bucket.bucket_arn, "s3:PutObject": logs}.items():
            self.bucket.add_to_resource_policy(
                iam.PolicyStatement(
                    principals=[iam.ServicePrincipal("cloudtrail.amazonaws.com")],
                    actions=[action],
                    resources=[resource],
                    conditions=ours,
                )
            )


def _objects_of(bucket: s3.IBucket) -> cloudtrail.CfnTrail.AdvancedEventSelectorProperty:
    field = cloudtrail.CfnTrail.AdvancedFieldSelectorProperty
    return cloudtrail.CfnTrail.AdvancedEventSelectorProperty(
        name="Every read and write of a file",
        field_selectors=[
            field(field="eventCategory", equal_to=["Data"]),
            field(field="resources.type", equal_to=["AWS::S3::Object"]),
            field(field="resources.ARN", starts_with=[bucket.arn_for_objects("")]),
        ],
    )


def _log_bucket(
    scope: Construct,
    construct_id: str,
    *,
    removal: RemovalPolicy,
    encryption: s3.BucketEncryption,
    encryption_key: kms.IKey | None = None,
    server_access_logs_bucket: s3.IBucket | None = None,
    server_access_logs_prefix: str | None = None,
) -> s3.Bucket:
    """Return a versioned bucket, so that log files which someone deletes remain for another 30 days."""
    bucket = s3.Bucket(
        scope,
        construct_id,
        versioned=True,
        encryption=encryption,
        encryption_key=encryption_key,
        enforce_ssl=True,
        minimum_tls_version=TLS,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        removal_policy=removal,
        lifecycle_rules=[
            s3.LifecycleRule(expiration=RETENTION, noncurrent_version_expiration=Duration.days(30)),
            # Not in the rule above: S3 accepts no expiration in days beside `expired_object_delete_marker`.
            s3.LifecycleRule(
                expired_object_delete_marker=True, abort_incomplete_multipart_upload_after=Duration.days(7)
            ),
        ],
        server_access_logs_bucket=server_access_logs_bucket,
        server_access_logs_prefix=server_access_logs_prefix,
    )
    return keep_policy_with_bucket(bucket, removal)
