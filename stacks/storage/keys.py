"""The KMS keys, one per trust boundary: customers' data, and data about operations."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

SEND = ["kms:Decrypt", "kms:GenerateDataKey"]
KEEP_LOGS = [
    *("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext"),
    *("kms:ReEncryptFrom", "kms:ReEncryptTo"),
]
KEEP_TRAIL = ["kms:DescribeKey", "kms:GenerateDataKey"]


def data_key(scope: Construct, construct_id: str, *, removal: RemovalPolicy) -> kms.Key:
    """For files, scores and the jobs table. No AWS service principal may use it; only roles and users may."""
    return kms.Key(
        scope,
        construct_id,
        description="Dropscore: files, scores, jobs table",
        enable_key_rotation=True,
        removal_policy=removal,
    )


def operations_key(scope: Construct, construct_id: str, *, removal: RemovalPolicy, trail: bool) -> kms.Key:
    """For logs, dead letters and alarms: they contain names of files and jobs, never the contents of a file.

    AWS service principals may use it for this account only. `trail` also allows CloudTrail.
    """
    key = kms.Key(
        scope,
        construct_id,
        description="Dropscore: logs, dead letters, alarms",
        enable_key_rotation=True,
        removal_policy=removal,
    )
    stack = Stack.of(scope)
    groups = stack.format_arn(service="logs", resource="log-group:*")
    named = {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}}
    _allow(key, f"logs.{stack.region}.{stack.url_suffix}", KEEP_LOGS, named)
    ours = {"StringEquals": {"aws:SourceAccount": stack.account}}
    # EventBridge sends to the encrypted dead-letter queue, alarms to the encrypted topic.
    for service in ("events", "cloudwatch"):
        _allow(key, f"{service}.amazonaws.com", SEND, ours)
    if trail:
        trails = stack.format_arn(service="cloudtrail", resource="trail", resource_name="*")
        _allow(key, "cloudtrail.amazonaws.com", KEEP_TRAIL, {**ours, "ArnLike": {"aws:SourceArn": trails}})
    return key


def _allow(key: kms.Key, service: str, actions: list[str], conditions: Mapping[str, object]) -> None:
    key.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal(service)], actions=actions, resources=["*"], conditions=conditions
        )
    )
