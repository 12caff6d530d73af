"""Announce: the Lambda `announce` reads the jobs table's stream and publishes the end of each job to EventBridge."""

from __future__ import annotations

import json
from collections.abc import Mapping

from aws_cdk import Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from schema.events import SOURCE
from stacks.constructs.function import Function, Operations
from stacks.constructs.grants import grant

FINAL_STATUSES = ["SUCCEEDED", "FAILED", "REJECTED"]
DETAIL_TYPES = ["Job Succeeded", "Job Failed", "Job Rejected"]
BATCH_SIZE = 10
"""The most events that one PutEvents call accepts: a batch is published by one call."""
RETRIES = 100
MAX_RECORD_AGE_SECONDS = 12 * 3600
"""Half of the 24 hours that the stream keeps a record; the other half remains to redrive the dead letter."""


class Announce(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        table: dynamodb.ITable,
        table_key: kms.IKey,
        environment: Mapping[str, str],
        operations: Operations,
    ) -> None:
        super().__init__(scope, construct_id)
        self.function = Function(
            self,
            "Announce",
            path="scoring/announce",
            environment=environment,
            operations=operations,
            unscoped={"dynamodb:ListStreams": "Lambda requires it to read a stream, and it supports no resource ARNs."},
        )
        self._allow_publish(self.function.role)
        stream = str(table.table_stream_arn)
        read = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
        grant(self.function.role, read, stream)
        grant(self.function.role, ["kms:Decrypt"], table_key.key_arn)
        mapping = self._mapping(stream, operations)
        mapping.node.add_dependency(self.function.role)  # Lambda verifies the role's permissions at creation

    def _allow_publish(self, role: iam.Role) -> None:
        """Allow only our own source and detail types, so that the function cannot forge other events on this bus."""
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["events:PutEvents"],
                resources=[Stack.of(self).format_arn(service="events", resource="event-bus", resource_name="default")],
                conditions={"StringEquals": {"events:source": SOURCE, "events:detail-type": DETAIL_TYPES}},
            )
        )

    def _mapping(self, stream: str, operations: Operations) -> lambda_.CfnEventSourceMapping:
        """Start at the oldest record: a new stack may announce jobs of the last 24 hours twice, but misses none."""
        mapping = lambda_.CfnEventSourceMapping
        # MODIFY only: every job is put into the table as CLAIMED, so its end is always a change.
        ended_jobs = {"eventName": ["MODIFY"], "dynamodb": {"NewImage": {"status": {"S": FINAL_STATUSES}}}}
        on_failure = mapping.OnFailureProperty(destination=operations.dead_letters.queue_arn)
        return mapping(
            self,
            "Stream",
            event_source_arn=stream,
            function_name=self.function.resource.function_name,
            starting_position="TRIM_HORIZON",
            batch_size=BATCH_SIZE,
            filter_criteria=mapping.FilterCriteriaProperty(
                filters=[mapping.FilterProperty(pattern=json.dumps(ended_jobs, separators=(",", ":")))]
            ),
            function_response_types=["ReportBatchItemFailures"],
            bisect_batch_on_function_error=True,
            maximum_retry_attempts=RETRIES,
            maximum_record_age_in_seconds=MAX_RECORD_AGE_SECONDS,
            destination_config=mapping.DestinationConfigProperty(on_failure=on_failure),
        )
