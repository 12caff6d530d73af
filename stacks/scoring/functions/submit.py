"""Submit: an upload under `input/` invokes the Lambda `submit`; undeliverable events go to the dead-letter queue."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import aws_events as events
from aws_cdk import aws_s3 as s3
from constructs import Construct

from schema.keys import INPUT
from stacks.constructs.delivery import to_function
from stacks.constructs.function import Function, Operations


class Submit(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        bucket: s3.IBucket,
        environment: Mapping[str, str],
        operations: Operations,
    ) -> None:
        super().__init__(scope, construct_id)
        self.function = Function(self, "Submit", path="scoring/submit", environment=environment, operations=operations)
        self.function_name = self.function.resource.function_name
        self.role = self.function.role
        self.rule = events.Rule(
            self,
            "Dropped",
            description=f"An object was created under {INPUT}",
            # The rule filters by prefix only. `submit` compares names with the patterns, and leaves a REJECTED job for
            # an object that fits none instead of silence (decision 0012).
            event_pattern=events.EventPattern(
                source=["aws.s3"],
                detail_type=["Object Created"],
                detail={"bucket": {"name": [bucket.bucket_name]}, "object": {"key": [{"prefix": INPUT}]}},
            ),
            targets=[to_function(self.function.resource, operations.dead_letters)],
        )
