"""Announce: each end of a job, as the jobs table's stream tells it, reaches EventBridge by the Lambda `announce`."""

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

ENDS = ["SUCCEEDED", "FAILED", "REJECTED"]
KINDS = ["Job Succeeded", "Job Failed", "Job Rejected"]
AT_ONCE = 10
"""What one call of PutEvents takes: a batch is published by one call."""
TRIES = 100
TRIED_FOR_SECONDS = 12 * 3600
"""Of the 24 hours that the stream keeps a record; the other half is for whoever comes to the dead letter."""


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
            unscoped={"dynamodb:ListStreams": "it knows no resource, and Lambda wants it of whoever reads a stream."},
        )
        self._let_publish(self.function.role)
        stream = str(table.table_stream_arn)
        read = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
        grant(self.function.role, read, stream)
        grant(self.function.role, ["kms:Decrypt"], table_key.key_arn)
        mapping = self._mapping(stream, operations)
        mapping.node.add_dependency(self.function.role)  # Lambda looks whether the role may read, and else refuses

    def _let_publish(self, role: iam.Role) -> None:
        """As ourselves, and nothing else: what others listen to on this bus cannot be feigned from here."""
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["events:PutEvents"],
                resources=[Stack.of(self).format_arn(service="events", resource="event-bus", resource_name="default")],
                conditions={"StringEquals": {"events:source": SOURCE, "events:detail-type": KINDS}},
            )
        )

    def _mapping(self, stream: str, operations: Operations) -> lambda_.CfnEventSourceMapping:
        """From the oldest record on: a stack that is made anew announces a day's ends twice rather than some never."""
        mapping = lambda_.CfnEventSourceMapping
        ends = {"eventName": ["MODIFY"], "dynamodb": {"NewImage": {"status": {"S": ENDS}}}}
        kept = mapping.OnFailureProperty(destination=operations.dead_letters.queue_arn)
        return mapping(
            self,
            "Stream",
            event_source_arn=stream,
            function_name=self.function.resource.function_name,
            starting_position="TRIM_HORIZON",
            batch_size=AT_ONCE,
            filter_criteria=mapping.FilterCriteriaProperty(
                filters=[mapping.FilterProperty(pattern=json.dumps(ends, separators=(",", ":")))]
            ),
            function_response_types=["ReportBatchItemFailures"],
            bisect_batch_on_function_error=True,
            maximum_retry_attempts=TRIES,
            maximum_record_age_in_seconds=TRIED_FOR_SECONDS,
            destination_config=mapping.DestinationConfigProperty(on_failure=kept),
        )
