"""Storage: the keys, the bucket, the jobs table and the access to them. This stack holds all data that must survive."""

from __future__ import annotations

import json
from collections.abc import Sequence

from aws_cdk import CfnOutput, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from schema.keys import INPUT, OUTPUT, PARTS
from stacks.constructs.findings import accept_resource
from stacks.constructs.grants import grant, grant_key_use
from stacks.constructs.log_group import log_group
from stacks.settings.sections import Deploy, StorageSettings
from stacks.storage.access import Access
from stacks.storage.alarm_topic import AlarmTopic
from stacks.storage.audit import DataEvents, access_log_bucket
from stacks.storage.bucket import data_bucket
from stacks.storage.jobs_table import jobs_table
from stacks.storage.keys import data_key, operations_key

WRITE = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"]


class Storage(Stack):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        deploy: Deploy,
        settings: StorageSettings,
        emails: Sequence[str],
        upload_routes: Sequence[str],
        inputs: Sequence[str],
        routes: Sequence[str],
    ) -> None:
        super().__init__(
            scope, construct_id, stack_name=deploy.stack_name("storage"), description="Dropscore: what must survive"
        )
        removal = RemovalPolicy.RETAIN if deploy.retain_data else RemovalPolicy.DESTROY
        self.key = data_key(self, "Key", removal=removal)
        self.operations_key = operations_key(self, "OperationsKey", removal=removal, trail=settings.data_events)
        self.alarm_topic = AlarmTopic(self, "Alarms", key=self.operations_key, emails=emails)
        logs = access_log_bucket(self, "AccessLogs", removal=removal) if settings.access_logs else None
        self.bucket = data_bucket(self, "Bucket", key=self.key, removal=removal, access_logs=logs)
        self.jobs = jobs_table(
            self,
            "Jobs",
            key=self.key,
            removal=removal,
            expires=settings.job_ttl_days > 0,
            termination_protection=deploy.termination_protection,
        )
        if settings.data_events:
            self._record_data_events(removal, logs)
        self.access = Access(
            self, "Access", bucket=self.bucket, jobs=self.jobs, key=self.key, upload_routes=upload_routes
        )
        # Other stacks import the bucket's ARN, and cdk-nag identifies the import by the name of this export.
        self._export_of_bucket = self.resolve(self.export_value(self.bucket.bucket_arn))["Fn::ImportValue"]
        CfnOutput(self, "BucketName", value=self.bucket.bucket_name)
        CfnOutput(self, "JobsTableName", value=self.jobs.table_name)
        # The command line reads these before it uploads; uploaders may describe this stack.
        CfnOutput(self, "InputNames", value=json.dumps(list(inputs)))
        CfnOutput(self, "RouteNames", value=json.dumps(list(routes)))
        CfnOutput(self, "KeyArn", value=self.key.key_arn)
        CfnOutput(self, "AlarmTopicArn", value=self.alarm_topic.resource.topic_arn)
        CfnOutput(self, "OperationsKeyArn", value=self.operations_key.key_arn)
        if logs:
            CfnOutput(self, "AccessLogBucketName", value=logs.bucket_name)

    def _record_data_events(self, removal: RemovalPolicy, logs: s3.IBucket | None) -> None:
        events = DataEvents(
            self, "DataEvents", bucket=self.bucket, key=self.operations_key, removal=removal, access_logs=logs
        )
        CfnOutput(self, "TrailBucketName", value=events.bucket.bucket_name)

    def add_log_group(self, construct_id: str, *, name: str, days: int) -> None:
        """Add a log group that shows why a deployment of another stack failed.

        It belongs to this stack because a rollback deletes a stack's own log groups, and a deletion its key. The other
        stack uses it by name: CloudFormation could never remove a resource that another stack imports.
        """
        log_group(self, construct_id, name=name, days=days, key=self.operations_key)

    def grant_claim(self, role: iam.Role) -> None:
        """Allow `role` to create and update jobs in the table."""
        self._grant_table(role, ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"])

    def grant_find_lost_jobs(self, role: iam.Role) -> None:
        """Allow `role` to find jobs by status, and to list all versions of all objects."""
        self._grant_table(role, ["dynamodb:BatchGetItem"])
        grant(role, ["dynamodb:Query"], f"{self.jobs.table_arn}/index/by_status")
        grant(role, ["s3:ListBucketVersions"], self.bucket.bucket_arn)

    def grant_update_jobs(self, role: iam.Role) -> None:
        """Allow `role` to update jobs that are in the table."""
        self._grant_table(role, ["dynamodb:GetItem", "dynamodb:UpdateItem"])

    def grant_read_input(self, role: iam.Role) -> None:
        """Allow `role` to read versions of inputs, and to receive 404 instead of 403 if there is none."""
        grant(role, ["s3:ListBucket"], self.bucket.bucket_arn)
        self._grant_objects(role, ["s3:GetObjectVersion"], f"{INPUT}*", "read any input")

    def grant_read_job_options(self, role: iam.Role) -> None:
        """Allow `role` to read the current version of job options files."""
        self._grant_objects(role, ["s3:GetObject"], f"{INPUT}*", "read the job options file of any input")

    def grant_write_output(self, role: iam.Role) -> None:
        """Allow `role` to publish outputs, and to read what an earlier attempt has published."""
        self._grant_objects(role, WRITE, f"{OUTPUT}*", "write the scores of any input")

    def grant_finish_jobs(self, role: iam.Role) -> None:
        """Allow `role` to check whether an output is published, and to complete the objects beside it."""
        grant(role, ["s3:ListBucket"], self.bucket.bucket_arn)
        self._grant_objects(role, ["s3:GetObject"], f"{PARTS}*", "read the parts of any output")
        self._grant_objects(role, ["s3:GetObject", "s3:PutObject"], f"{OUTPUT}*", "write the manifest of any output")

    def grant_write_parts(self, role: iam.Role) -> None:
        """Allow `role` to write the scores of shards, and to read them again when it publishes."""
        self._grant_objects(role, WRITE, f"{PARTS}*", "store the parts of any output until all are complete")

    def grant_capture(self, role: iam.Role, model: str) -> None:
        """Allow `role` to write the requests and replies of `model`, but not to read them."""
        pattern = f"capture/{model}/*"
        grant(role, ["s3:PutObject"], self.bucket.arn_for_objects(pattern))
        grant(role, ["kms:Decrypt", "kms:GenerateDataKey"], self.key.key_arn)  # multipart uploads need Decrypt
        reason = "SageMaker names captured objects by the hour; the role may only write under the model's prefix."
        accept_resource(role, f"{self._export_of_bucket}/{pattern}", reason)

    def _grant_table(self, role: iam.Role, actions: list[str]) -> None:
        grant(role, actions, self.jobs.table_arn)
        grant_key_use(role, self.key)

    def _grant_objects(self, role: iam.Role, actions: list[str], pattern: str, purpose: str) -> None:
        grant(role, actions, self.bucket.arn_for_objects(pattern))
        grant_key_use(role, self.key)
        reason = f"The role must {purpose}; it is limited to this prefix and to these actions: {', '.join(actions)}."
        accept_resource(role, f"{self._export_of_bucket}/{pattern}", reason)
