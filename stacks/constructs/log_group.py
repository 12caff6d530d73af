"""A log group with the retention from the settings, encrypted with a customer managed key."""

from __future__ import annotations

from typing import cast

from aws_cdk import RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct


def log_group(
    scope: Construct, construct_id: str, *, days: int, key: kms.IKey, name: str | None = None
) -> logs.LogGroup:
    """`days` must be a retention that CloudWatch Logs offers, and `key` must allow CloudWatch Logs to use it."""
    group = logs.LogGroup(scope, construct_id, encryption_key=key, removal_policy=RemovalPolicy.DESTROY)
    # The settings have validated `days`. Set it directly: the CDK's enumeration of retentions would need a table here.
    resource = cast(logs.CfnLogGroup, group.node.default_child)
    resource.retention_in_days, resource.log_group_name = days, name
    return group
