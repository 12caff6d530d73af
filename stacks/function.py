"""A Lambda of ours: its own role and log group, its code by allow-list, its failed events kept."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.grants import grant_send
from stacks.sources import function_code


class Function(Construct):
    """`lambdas/<name>/handler.py`; it may write its own log and leave what failed in the queue, and no more."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        environment: Mapping[str, str],
        dead_letters: sqs.IQueue,
        timeout: Duration | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        log_group = logs.LogGroup(
            self, "Logs", retention=logs.RetentionDays.THREE_MONTHS, removal_policy=RemovalPolicy.DESTROY
        )
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group.grant_write(self.role)
        grant_send(self.role, dead_letters)
        self.resource = lambda_.Function(
            self,
            "Function",
            runtime=lambda_.Runtime.PYTHON_3_14,
            architecture=lambda_.Architecture.ARM_64,
            handler=f"lambdas.{name}.handler.handler",
            code=function_code(name),
            environment=environment,
            role=self.role,
            log_group=log_group,
            dead_letter_queue=dead_letters,
            memory_size=256,
            timeout=timeout or Duration.seconds(60),
        )
