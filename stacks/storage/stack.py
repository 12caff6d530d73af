"""Storage: the keys, the bucket, the jobs table and who may come to them. What must survive."""

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
        self._export_of_bucket = self.resolve(self.export_value(self.bucket.bucket_arn))["Fn::ImportValue"]
        CfnOutput(self, "BucketName", value=self.bucket.bucket_name)
        CfnOutput(self, "JobsTableName", value=self.jobs.table_name)
        # What the command line must know before it uploads, where everybody who uploads may look.
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

    def keep_log(self, construct_id: str, *, name: str, days: int) -> None:
        """A log group that tells why a deployment of another stack failed.

        It lies here because a stack that is rolled back takes its own log groups along, and a stack that is deleted its
        key. It is known by its name: what another stack imports could never be taken out.
        """
        log_group(self, construct_id, name=name, days=days, key=self.operations_key)

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
        """Let `role` read the versions of dropped files, and be told 404 instead of 403 where there is none."""
        grant(role, ["s3:ListBucket"], self.bucket.bucket_arn)
        self._grant_objects(role, ["s3:GetObjectVersion"], f"{INPUT}*", "read any dropped file")

    def grant_read_sidecars(self, role: iam.Role) -> None:
        """Let `role` read what was dropped before a file, whichever version that is now."""
        self._grant_objects(role, ["s3:GetObject"], f"{INPUT}*", "read what was dropped before any file")

    def grant_write_output(self, role: iam.Role) -> None:
        self._grant_objects(role, WRITE, f"{OUTPUT}*", "write the scores of any of them")

    def grant_finish(self, role: iam.Role) -> None:
        """Let `role` see whether scores are published, and bring what belongs beside them."""
        grant(role, ["s3:ListBucket"], self.bucket.bucket_arn)
        self._grant_objects(role, ["s3:GetObject"], f"{PARTS}*", "read what was put aside for any output")
        self._grant_objects(role, ["s3:GetObject", "s3:PutObject"], f"{OUTPUT}*", "put the manifest beside any output")

    def grant_write_parts(self, role: iam.Role) -> None:
        """Let `role` keep the scores of shards, and read them again to put them together."""
        self._grant_objects(role, WRITE, f"{PARTS}*", "keep the parts of any output until all are there")

    def grant_capture(self, role: iam.Role, model: str) -> None:
        """Let `role` keep what `model` was asked and answered, and read none of it."""
        pattern = f"capture/{model}/*"
        grant(role, ["s3:PutObject"], self.bucket.arn_for_objects(pattern))
        grant(role, ["kms:Decrypt", "kms:GenerateDataKey"], self.key.key_arn)  # to decrypt: for uploads in parts
        reason = "SageMaker names the objects of its data capture by the hour; the model's own prefix, to write only."
        accept_resource(role, f"{self._export_of_bucket}/{pattern}", reason)

    def _grant_table(self, role: iam.Role, actions: list[str]) -> None:
        grant(role, actions, self.jobs.table_arn)
        grant_key_use(role, self.key)

    def _grant_objects(self, role: iam.Role, actions: list[str], pattern: str, purpose: str) -> None:
        grant(role, actions, self.bucket.arn_for_objects(pattern))
        grant_key_use(role, self.key)
        reason = f"It must {purpose}; of this bucket the prefix, of all actions these: {', '.join(actions)}."
        accept_resource(role, f"{self._export_of_bucket}/{pattern}", reason)
