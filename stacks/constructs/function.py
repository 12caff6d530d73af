"""A Lambda of ours: its own role and log group, its code by allow-list, its failed events kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.constructs.code import function_code
from stacks.constructs.findings import accept_resource
from stacks.constructs.grants import grant, grant_send
from stacks.constructs.log_group import log_group

TRACING = "xray:PutTraceSegments and xray:PutTelemetryRecords, by which Lambda records traces, know no resource."


@dataclass(frozen=True)
class Operations:
    """Where a function's failed events go, and how its log is kept."""

    dead_letters: sqs.IQueue
    log_days: int
    logs_key: kms.IKey


class Function(Construct):
    """The function in `lambdas/<path>/handler.py`. It may write its log, its traces and its dead letters, and nothing else.

    `unscoped` are further actions that cannot be limited to a resource, each with the reason for it.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        path: str,
        environment: Mapping[str, str],
        operations: Operations,
        timeout: Duration | None = None,
        unscoped: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.log_group = log_group(self, "Logs", days=operations.log_days, key=operations.logs_key)
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        self.log_group.grant_write(self.role)
        grant_send(self.role, operations.dead_letters)
        self.resource = lambda_.Function(
            self,
            "Function",
            # The policy checks demand the newest runtime (AwsSolutions-L1); arm64 costs a fifth less. No packages are
            # bundled: the code needs the standard library and Lambda's own boto3 only.
            runtime=lambda_.Runtime.PYTHON_3_14,
            architecture=lambda_.Architecture.ARM_64,
            handler=f"lambdas.{path.replace('/', '.')}.handler.handler",
            code=function_code(path),
            environment=environment,
            role=self.role,
            log_group=self.log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            tracing=lambda_.Tracing.ACTIVE,
            dead_letter_queue=operations.dead_letters,
            memory_size=256,
            timeout=timeout or Duration.seconds(60),
        )
        self._allow_anywhere(unscoped or {})

    def _allow_anywhere(self, unscoped: Mapping[str, str]) -> None:
        if unscoped:
            grant(self.role, list(unscoped), "*")
        accept_resource(self.role, "*", " ".join([TRACING, *(f"{what}: {why}" for what, why in unscoped.items())]))
