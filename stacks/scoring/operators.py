"""What operators may do to scoring: try a file again, redrive dead letters, end jobs, read logs.

The role is in storage and stays; this policy names the resources of this deployment of scoring, and goes with them.
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
WITHOUT_RESOURCE = ["batch:DescribeJobs", "cloudwatch:GetMetricData"]
ANY_REASON = "They know no resource: the one reads what jobs became, the other numbers of metrics."
ALARMS_REASON = "CloudWatch describes alarms only to who may describe all of the account; it says their states."
JOBS_REASON = "Jobs have no names before they are submitted; a condition holds it to those with this deployment's tag."


class Operating(Construct):
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
        """`functions` are those that `retry` and `redrive` hand events to.

        To be made last: it covers every log group and dashboard that the stack has by then.
        """
        super().__init__(scope, construct_id)
        stack = Stack.of(self)
        self._policy = iam.Policy(self, "Policy", roles=[operators])
        every = stack.node.find_all()
        groups = [each.log_group_arn for each in every if isinstance(each, logs.LogGroup)]
        dashboards = [_arn(each) for each in every if isinstance(each, cloudwatch.Dashboard)]
        grant(self._policy, ["lambda:InvokeFunction"], *(each.function_arn for each in functions))
        grant(self._policy, READ_LOGS, *groups)
        grant(self._policy, REDRIVE, dead_letters.queue_arn)
        if dead_letters.encryption_master_key:
            grant(self._policy, ["kms:Decrypt"], dead_letters.encryption_master_key.key_arn)
        grant_describe(self._policy, stack.stack_name)
        grant(self._policy, ["cloudwatch:GetDashboard"], *dashboards)
        grant(self._policy, WITHOUT_RESOURCE, "*")
        accept(self._policy, "AwsSolutions-IAM5[Resource::*]", ANY_REASON)
        self._let_see_alarms()
        self._let_end_jobs(env)

    def _let_see_alarms(self) -> None:
        alarms = Stack.of(self).format_arn(
            service="cloudwatch", resource="alarm", resource_name="*", arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
        grant(self._policy, ["cloudwatch:DescribeAlarms"], alarms)
        written = "arn:<AWS::Partition>:cloudwatch:<AWS::Region>:<AWS::AccountId>:alarm:*"
        accept(self._policy, f"AwsSolutions-IAM5[Resource::{written}]", ALARMS_REASON)

    def _let_end_jobs(self, env: str) -> None:
        jobs = Stack.of(self).format_arn(service="batch", resource="job", resource_name="*")
        self._policy.add_statements(
            iam.PolicyStatement(
                actions=["batch:TerminateJob"],
                resources=[jobs],
                conditions={"StringEquals": {f"aws:ResourceTag/{TAG}": env}},
            )
        )
        written = "arn:<AWS::Partition>:batch:<AWS::Region>:<AWS::AccountId>:job/*"
        accept(self._policy, f"AwsSolutions-IAM5[Resource::{written}]", JOBS_REASON)


def _arn(dashboard: cloudwatch.Dashboard) -> str:
    """CDK's own is made of the name that a template gives, and ours gives none."""
    return Stack.of(dashboard).format_arn(
        service="cloudwatch", region="", resource="dashboard", resource_name=dashboard.dashboard_name
    )
