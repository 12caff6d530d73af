"""A Lambda function with its own role and log group, allow-listed code, and a dead-letter queue."""

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

TRACING_REASON = "xray:PutTraceSegments and xray:PutTelemetryRecords, which record traces, support no resource ARNs."


@dataclass(frozen=True)
class Operations:
    """Where a function's failed events go, how many days its log is kept, and the key that encrypts the log."""

    dead_letters: sqs.IQueue
    log_days: int
    logs_key: kms.IKey


class Function(Construct):
    """The function in `lambdas/<path>/handler.py`. It may only write its log, its traces and its dead letters.

    `unscoped` maps further actions that cannot be limited to a resource to the reason for each. Default timeout: 60 s.
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
        # The CDK's own role for a function would get a managed policy that allows writing to every log group.
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        self.log_group.grant_write(self.role)
        grant_send(self.role, operations.dead_letters)
        self.resource = lambda_.Function(
            self,
            "Function",
            # The policy checks require the newest runtime (AwsSolutions-L1); arm64 costs a fifth less. No packages are
            # bundled: the code needs only the standard library and the boto3 that Lambda provides.
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
        accept_resource(
            self.role, "*", " ".join([TRACING_REASON, *(f"{action}: {reason}" for action, reason in unscoped.items())])
        )
