"""Reconcile: on a schedule, the Lambda `reconcile` finds and repairs inputs and jobs that events missed."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_events as events
from constructs import Construct

from schema import environment as names
from stacks.constructs.delivery import to_function
from stacks.constructs.function import Function, Operations
from stacks.settings.sections import ReconcileSettings


class Reconcile(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: ReconcileSettings,
        environment: Mapping[str, str],
        operations: Operations,
    ) -> None:
        super().__init__(scope, construct_id)
        self.function = Function(
            self,
            "Reconcile",
            path="scoring/reconcile",
            environment={
                **environment,
                names.RECONCILE_WINDOW_HOURS: str(settings.window_hours),
                names.RECONCILE_GRACE_MINUTES: str(settings.grace_minutes),
            },
            operations=operations,
            # The longest that Lambda allows: a run lists every version that was ever stored under `input/`.
            timeout=Duration.minutes(15),
            unscoped={"batch:DescribeJobs": "it only reads the status of jobs, and does not support resource ARNs."},
        )
        self.function_name = self.function.resource.function_name
        self.role = self.function.role
        self.rule = events.Rule(
            self,
            "Schedule",
            description="Find and repair inputs and jobs that events missed",
            schedule=events.Schedule.rate(Duration.minutes(settings.every_minutes)),
            targets=[to_function(self.function.resource, operations.dead_letters)],
        )
