"""Intake: a file that appears under `input/` reaches the Lambda `submit`, or the dead-letter queue."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import aws_events as events
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.delivery import to_function
from stacks.function import Function

PREFIX = "input/"


class Intake(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        bucket: s3.IBucket,
        environment: Mapping[str, str],
        dead_letters: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        submit = Function(self, "Submit", name="submit", environment=environment, dead_letters=dead_letters)
        self.function_name = submit.resource.function_name
        self.role = submit.role
        events.Rule(
            self,
            "Dropped",
            description=f"A file appeared under {PREFIX}",
            event_pattern=events.EventPattern(
                source=["aws.s3"],
                detail_type=["Object Created"],
                detail={"bucket": {"name": [bucket.bucket_name]}, "object": {"key": [{"prefix": PREFIX}]}},
            ),
            targets=[to_function(submit.resource, dead_letters)],
        )
