"""Track: a state change of a Batch job invokes the Lambda `track`; undeliverable events go to the dead-letter queue."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import aws_events as events
from constructs import Construct

from stacks.constructs.delivery import to_function
from stacks.constructs.function import Function, Operations


class Track(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        job_queue_arn: str,
        environment: Mapping[str, str],
        operations: Operations,
    ) -> None:
        super().__init__(scope, construct_id)
        self.function = Function(self, "Track", path="scoring/track", environment=environment, operations=operations)
        self.function_name = self.function.resource.function_name
        self.role = self.function.role
        self.rule = events.Rule(
            self,
            "StateChanged",
            description="The state of a scoring job in AWS Batch changed",
            event_pattern=events.EventPattern(
                source=["aws.batch"],
                detail_type=["Batch Job State Change"],
                detail={"jobQueue": [job_queue_arn]},
            ),
            targets=[to_function(self.function.resource, operations.dead_letters)],
        )
