"""Reconciliation: on a schedule, the Lambda `reconcile` looks for what events should have done and did not."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.delivery import to_function
from stacks.function import Function
from stacks.grants import grant
from stacks.review import accept_resource
from stacks.settings.sections import ReconcileSettings


class Reconciliation(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: ReconcileSettings,
        environment: Mapping[str, str],
        dead_letters: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        reconcile = Function(
            self,
            "Reconcile",
            name="reconcile",
            environment={
                **environment,
                "RECONCILE_WINDOW_HOURS": str(settings.window_hours),
                "RECONCILE_GRACE_MINUTES": str(settings.grace_minutes),
            },
            dead_letters=dead_letters,
            timeout=Duration.minutes(15),
        )
        self.function_name = reconcile.resource.function_name
        self.role = reconcile.role
        events.Rule(
            self,
            "Schedule",
            description="Look for what events should have done and did not",
            schedule=events.Schedule.rate(Duration.minutes(settings.every_minutes)),
            targets=[to_function(reconcile.resource, dead_letters)],
        )
        grant(self.role, ["batch:DescribeJobs"], "*")
        accept_resource(self.role, "*", "batch:DescribeJobs knows no resource; it reads, and only what jobs became.")
