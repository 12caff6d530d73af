"""A log group of ours: kept for as long as the settings say, and encrypted with a key of ours."""

from __future__ import annotations

from typing import cast

from aws_cdk import RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct


def log_group(
    scope: Construct, construct_id: str, *, days: int, key: kms.IKey, name: str | None = None
) -> logs.LogGroup:
    """`days` is one of the retentions that CloudWatch knows; `key` must let the service CloudWatch Logs use it."""
    group = logs.LogGroup(scope, construct_id, encryption_key=key, removal_policy=RemovalPolicy.DESTROY)
    # The settings have checked the number; CDK's own names for the retentions would need a table here.
    resource = cast(logs.CfnLogGroup, group.node.default_child)
    resource.retention_in_days, resource.log_group_name = days, name
    return group
