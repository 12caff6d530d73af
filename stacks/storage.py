"""Storage: the key, the bucket and the jobs table. What must survive."""

from __future__ import annotations

from typing import cast

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.grants import grant, grant_key_use
from stacks.review import accept, accept_resource
from stacks.settings.sections import Deploy

WRITE = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"]
LONGEST_JOB = Duration.days(15)
"""Batch ends a Fargate job after 14 days: what it left unfinished before that may still be wanted."""


class Storage(Stack):
    def __init__(self, scope: Construct, construct_id: str, *, deploy: Deploy, job_ttl_days: int) -> None:
        super().__init__(
            scope, construct_id, stack_name=deploy.stack_name("storage"), description="Dropscore: what must survive"
        )
        removal = RemovalPolicy.RETAIN if deploy.keep_data else RemovalPolicy.DESTROY
        self.key = _key(self, removal)
        self.bucket = _bucket(self, self.key, removal)
        self.jobs = _jobs_table(self, self.key, removal, expires=job_ttl_days > 0)
        self._export_of_bucket = self.resolve(self.export_value(self.bucket.bucket_arn))["Fn::ImportValue"]
        CfnOutput(self, "BucketName", value=self.bucket.bucket_name)
        CfnOutput(self, "JobsTableName", value=self.jobs.table_name)
        CfnOutput(self, "KeyArn", value=self.key.key_arn)

    def grant_claim(self, role: iam.Role) -> None:
        """Let `role` enter jobs in the table and move them on."""
        self._grant_table(role, ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"])

    def grant_look_for_lost(self, role: iam.Role) -> None:
        """Let `role` find the jobs of any state, and all versions of all files."""
        self._grant_table(role, ["dynamodb:BatchGetItem"])
        grant(role, ["dynamodb:Query"], f"{self.jobs.table_arn}/index/by_status")
        grant(role, ["s3:ListBucketVersions"], self.bucket.bucket_arn)

    def grant_move(self, role: iam.Role) -> None:
        """Let `role` move on jobs that are in the table."""
        self._grant_table(role, ["dynamodb:GetItem", "dynamodb:UpdateItem"])

    def grant_read_input(self, role: iam.Role) -> None:
        """Let `role` read dropped files, and be told 404 instead of 403 where there is none."""
        grant(role, ["s3:ListBucket"], self.bucket.bucket_arn)
        self._grant_objects(role, ["s3:GetObject", "s3:GetObjectVersion"], "input/*", "read any dropped file")

    def grant_write_output(self, role: iam.Role) -> None:
        self._grant_objects(role, WRITE, "output/*", "write the scores of any of them")

    def grant_finish(self, role: iam.Role) -> None:
        """Let `role` see whether scores are published, and bring what belongs beside them."""
        grant(role, ["s3:ListBucket"], self.bucket.bucket_arn)
        self._grant_objects(role, ["s3:GetObject"], "parts/*", "read what was put aside for any output")
        self._grant_objects(role, ["s3:GetObject", "s3:PutObject"], "output/*", "put the manifest beside any output")

    def grant_write_parts(self, role: iam.Role) -> None:
        """Let `role` keep the scores of shards, and read them again to put them together."""
        self._grant_objects(role, WRITE, "parts/*", "keep the parts of any output until all are there")

    def _grant_table(self, role: iam.Role, actions: list[str]) -> None:
        grant(role, actions, self.jobs.table_arn)
        grant_key_use(role, self.key)

    def _grant_objects(self, role: iam.Role, actions: list[str], pattern: str, purpose: str) -> None:
        grant(role, actions, self.bucket.arn_for_objects(pattern))
        grant_key_use(role, self.key)
        reason = f"It must {purpose}; of this bucket the prefix, of all actions these: {', '.join(actions)}."
        accept_resource(role, f"{self._export_of_bucket}/{pattern}", reason)


def _key(scope: Construct, removal: RemovalPolicy) -> kms.Key:
    key = kms.Key(
        scope,
        "Key",
        description="Dropscore: files, scores, jobs table, dead letters, endpoint volumes",
        enable_key_rotation=True,
        removal_policy=removal,
    )
    # EventBridge writes to the dead-letter queue under its own name, so the key itself must let it.
    key.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal("events.amazonaws.com")],
            actions=["kms:Decrypt", "kms:GenerateDataKey"],
            resources=["*"],
            conditions={"StringEquals": {"aws:SourceAccount": Stack.of(scope).account}},
        )
    )
    return key


def _bucket(scope: Construct, key: kms.IKey, removal: RemovalPolicy) -> s3.Bucket:
    bucket = s3.Bucket(
        scope,
        "Bucket",
        versioned=True,
        encryption=s3.BucketEncryption.KMS,
        encryption_key=key,
        bucket_key_enabled=True,
        enforce_ssl=True,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        removal_policy=removal,
        lifecycle_rules=_lifecycle(),
    )
    _announce_on_eventbridge(bucket)
    accept(
        bucket,
        "AwsSolutions-S1",
        "A second bucket for access logs would itself need the same care; CloudTrail data events, where an account "
        "wants them, record every access with the caller's identity.",
    )
    return bucket


def _lifecycle() -> list[s3.LifecycleRule]:
    """S3 takes the shorter time where two rules meet. It also removes delete markers that hide nothing any more."""
    everything = s3.LifecycleRule(
        abort_incomplete_multipart_upload_after=LONGEST_JOB,
        noncurrent_version_expiration=Duration.days(90),
        expired_object_delete_marker=True,
    )
    parts = s3.LifecycleRule(prefix="parts/", expiration=LONGEST_JOB, noncurrent_version_expiration=Duration.days(1))
    return [everything, parts]


def _announce_on_eventbridge(bucket: s3.Bucket) -> None:
    """`event_bridge_enabled=True` would add a custom resource with a Lambda of its own; this adds none."""
    resource = cast(s3.CfnBucket, bucket.node.default_child)
    resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
        event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(event_bridge_enabled=True)
    )


def _jobs_table(scope: Construct, key: kms.IKey, removal: RemovalPolicy, *, expires: bool) -> dynamodb.Table:
    table = dynamodb.Table(
        scope,
        "Jobs",
        partition_key=_text("job_id"),
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
        encryption_key=key,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
        time_to_live_attribute="expires_at" if expires else None,
        removal_policy=removal,
    )
    for attribute in ("file", "status"):
        table.add_global_secondary_index(
            index_name=f"by_{attribute}", partition_key=_text(attribute), sort_key=_text("submitted_at")
        )
    return table


def _text(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
