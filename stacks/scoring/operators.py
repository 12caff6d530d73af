"""Operators' permissions on the scoring stack: retry inputs, redrive dead letters, terminate jobs, read logs.

The role belongs to the storage stack, which remains; this policy names scoring's resources and is deleted with them.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.constructs.findings import accept
from stacks.constructs.grants import grant, grant_describe

TAG = "dropscore:env"
REDRIVE = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"]
READ_LOGS = [
    *("logs:DescribeLogStreams", "logs:FilterLogEvents", "logs:GetLogEvents", "logs:GetQueryResults", "logs:StartQuery")
]
UNSCOPED_ACTIONS = ["batch:DescribeJobs", "cloudwatch:GetMetricData"]
ANY_REASON = "These actions do not support resource ARNs: one reads the status of jobs, the other metrics."
ALARMS_REASON = "CloudWatch allows describing alarms only for the whole account; it reveals their states."
JOBS_REASON = "Job ids are generated at submission; a condition limits this to jobs with this deployment's tag."


class Operators(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        operators: iam.IRole,
        env: str,
        functions: Sequence[lambda_.IFunction],
        dead_letters: sqs.IQueue,
    ) -> None:
        """`functions` are those that the commands `retry` and `redrive` invoke.

        Create this construct last: it covers the log groups and dashboards that the stack has at that moment.
        """
        super().__init__(scope, construct_id)
        stack = Stack.of(self)
        self._policy = iam.Policy(self, "Policy", roles=[operators])
        constructs = stack.node.find_all()
        groups = [group.log_group_arn for group in constructs if isinstance(group, logs.LogGroup)]
        dashboards = [_arn(dashboard) for dashboard in constructs if isinstance(dashboard, cloudwatch.Dashboard)]
        grant(self._policy, ["lambda:InvokeFunction"], *(function.function_arn for function in functions))
        grant(self._policy, READ_LOGS, *groups)
        grant(self._policy, REDRIVE, dead_letters.queue_arn)
        if dead_letters.encryption_master_key:
            grant(self._policy, ["kms:Decrypt"], dead_letters.encryption_master_key.key_arn)
        grant_describe(self._policy, stack.stack_name)
        grant(self._policy, ["cloudwatch:GetDashboard"], *dashboards)
        grant(self._policy, UNSCOPED_ACTIONS, "*")
        accept(self._policy, "AwsSolutions-IAM5[Resource::*]", ANY_REASON)
        self._allow_describe_alarms()
        self._allow_terminate_jobs(env)

    def _allow_describe_alarms(self) -> None:
        alarms = Stack.of(self).format_arn(
            service="cloudwatch", resource="alarm", resource_name="*", arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
        grant(self._policy, ["cloudwatch:DescribeAlarms"], alarms)
        resource = "arn:<AWS::Partition>:cloudwatch:<AWS::Region>:<AWS::AccountId>:alarm:*"
        accept(self._policy, f"AwsSolutions-IAM5[Resource::{resource}]", ALARMS_REASON)

    def _allow_terminate_jobs(self, env: str) -> None:
        jobs = Stack.of(self).format_arn(service="batch", resource="job", resource_name="*")
        self._policy.add_statements(
            iam.PolicyStatement(
                actions=["batch:TerminateJob"],
                resources=[jobs],
                conditions={"StringEquals": {f"aws:ResourceTag/{TAG}": env}},
            )
        )
        resource = "arn:<AWS::Partition>:batch:<AWS::Region>:<AWS::AccountId>:job/*"
        accept(self._policy, f"AwsSolutions-IAM5[Resource::{resource}]", JOBS_REASON)


def _arn(dashboard: cloudwatch.Dashboard) -> str:
    """The CDK derives a dashboard's ARN from its physical name, which ours do not have."""
    return Stack.of(dashboard).format_arn(
        service="cloudwatch", region="", resource="dashboard", resource_name=dashboard.dashboard_name
    )
