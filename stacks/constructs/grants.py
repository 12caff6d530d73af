"""Permissions by exact action. The CDK's own `grant_read` and similar methods add wildcards such as `s3:GetObject*`."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import ArnFormat, Aws, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3_assets as assets
from aws_cdk import aws_sqs as sqs

from stacks.constructs.findings import accept, accept_resource

WRITE_LOG = ["logs:CreateLogStream", "logs:PutLogEvents"]
DESCRIBE_REASON = "One stack by its name, to which CloudFormation appends a generated id; only its outputs are read."


def service_principal(service: str) -> iam.ServicePrincipal:
    """A service that may assume a role only on behalf of this account, which prevents confused-deputy access."""
    return iam.ServicePrincipal(service, conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}})


def grant(grantee: iam.IGrantable, actions: Sequence[str], *resources: str) -> None:
    """Allow `grantee` to perform `actions` on the resources with these ARNs."""
    iam.Grant.add_to_principal(grantee=grantee, actions=list(actions), resource_arns=list(resources))


def grant_key_use(grantee: iam.IGrantable, key: kms.IKey) -> None:
    """Allow `grantee` to read and write data that S3, DynamoDB and SQS encrypt with `key`."""
    grant(grantee, ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"], key.key_arn)


def grant_send(grantee: iam.IGrantable, queue: sqs.IQueue) -> None:
    """Allow `grantee` to send messages to `queue` and, if the queue has a KMS key, to encrypt them."""
    grant(grantee, ["sqs:SendMessage"], queue.queue_arn)
    if queue.encryption_master_key:
        grant(grantee, ["kms:Decrypt", "kms:GenerateDataKey"], queue.encryption_master_key.key_arn)


def grant_read_asset(grantee: iam.IGrantable, asset: assets.Asset) -> None:
    """Allow `grantee` to read this one object; the asset's own `grant_read` covers the whole bootstrap bucket."""
    grant(grantee, ["s3:GetObject"], asset_arn(asset))


def asset_arn(asset: assets.Asset) -> str:
    """Return the ARN of the asset's one object; an S3 ARN has neither region nor account."""
    return Stack.of(asset).format_arn(
        service="s3", region="", account="", resource=asset.s3_bucket_name, resource_name=asset.s3_object_key
    )


def grant_write_log(role: iam.Role, log_group_name: str, actions: Sequence[str] = WRITE_LOG) -> None:
    """Allow `role` to write to the log group `log_group_name`, which another stack creates."""
    stack = Stack.of(role)
    arn = stack.format_arn(
        service="logs",
        resource="log-group",
        resource_name=f"{log_group_name}:*",
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )
    grant(role, actions, arn)
    # cdk-nag identifies a wildcard resource by this notation of its ARN
    resource = f"arn:<AWS::Partition>:logs:<AWS::Region>:<AWS::AccountId>:log-group:{log_group_name}:*"
    accept_resource(role, resource, "The streams of this one log group, whose names are generated.")


def grant_describe(policy: iam.ManagedPolicy | iam.Policy, stack_name: str) -> None:
    """Allow reading a stack's outputs, with which the command line finds all other resources."""
    stack = Stack.of(policy)
    arn = stack.format_arn(service="cloudformation", resource="stack", resource_name=f"{stack_name}/*")
    grant(policy, ["cloudformation:DescribeStacks"], arn)
    resource = f"arn:<AWS::Partition>:cloudformation:<AWS::Region>:<AWS::AccountId>:stack/{stack_name}/*"
    accept(policy, f"AwsSolutions-IAM5[Resource::{resource}]", DESCRIBE_REASON)
