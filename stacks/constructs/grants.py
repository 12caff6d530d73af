"""Permissions by exact action. CDK's own `grant_read` and the like give wildcards such as `s3:GetObject*`."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import ArnFormat, Aws, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3_assets as assets
from aws_cdk import aws_sqs as sqs

from stacks.constructs.findings import accept, accept_resource

WRITE_LOG = ["logs:CreateLogStream", "logs:PutLogEvents"]
DESCRIBE_REASON = "One stack by its name, to which AWS adds an id of its own making; only its outputs are read."


def service_principal(service: str) -> iam.ServicePrincipal:
    """A service that may assume a role, and only on behalf of this account (no confused deputy)."""
    return iam.ServicePrincipal(service, conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}})


def grant(grantee: iam.IGrantable, actions: Sequence[str], *resources: str) -> None:
    """Let `grantee` do `actions` on the resources with these ARNs."""
    iam.Grant.add_to_principal(grantee=grantee, actions=list(actions), resource_arns=list(resources))


def grant_key_use(grantee: iam.IGrantable, key: kms.IKey) -> None:
    """Let `grantee` read and write what S3, DynamoDB and SQS encrypt with `key`."""
    grant(grantee, ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"], key.key_arn)


def grant_send(grantee: iam.IGrantable, queue: sqs.IQueue) -> None:
    """Let `grantee` put messages into `queue` and, where the queue has a key of ours, encrypt them."""
    grant(grantee, ["sqs:SendMessage"], queue.queue_arn)
    if queue.encryption_master_key:
        grant(grantee, ["kms:Decrypt", "kms:GenerateDataKey"], queue.encryption_master_key.key_arn)


def grant_read_asset(grantee: iam.IGrantable, asset: assets.Asset) -> None:
    """Let `grantee` read that one object; the asset's own `grant_read` opens the whole bootstrap bucket."""
    grant(grantee, ["s3:GetObject"], asset_arn(asset))


def asset_arn(asset: assets.Asset) -> str:
    return Stack.of(asset).format_arn(
        service="s3", region="", account="", resource=asset.s3_bucket_name, resource_name=asset.s3_object_key
    )


def grant_write_log(role: iam.Role, log_group_name: str, actions: Sequence[str] = WRITE_LOG) -> None:
    """Let `role` write to the log group of that name, which another stack makes."""
    stack = Stack.of(role)
    arn = stack.format_arn(
        service="logs",
        resource="log-group",
        resource_name=f"{log_group_name}:*",
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )
    grant(role, actions, arn)
    written = f"arn:<AWS::Partition>:logs:<AWS::Region>:<AWS::AccountId>:log-group:{log_group_name}:*"
    accept_resource(role, written, "The streams of that one log group, which are named as they are made.")


def grant_describe(policy: iam.ManagedPolicy | iam.Policy, stack_name: str) -> None:
    """Let it read a stack's outputs, by which the command line finds everything else."""
    stack = Stack.of(policy)
    arn = stack.format_arn(service="cloudformation", resource="stack", resource_name=f"{stack_name}/*")
    grant(policy, ["cloudformation:DescribeStacks"], arn)
    written = f"arn:<AWS::Partition>:cloudformation:<AWS::Region>:<AWS::AccountId>:stack/{stack_name}/*"
    accept(policy, f"AwsSolutions-IAM5[Resource::{written}]", DESCRIBE_REASON)
