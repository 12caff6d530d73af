"""Findings of the policy checks that were looked at and accepted, each on one resource and with its reason."""

from __future__ import annotations

from aws_cdk import Acknowledgment, Validations
from aws_cdk import aws_iam as iam
from constructs import IConstruct


def accept(resource: IConstruct, finding: str, reason: str) -> None:
    """Accept `finding` (cdk-nag's exact id) on `resource` and on what it consists of."""
    Validations.of(resource).acknowledge(Acknowledgment(id=finding, reason=reason))


def accept_resource(role: iam.IRole, resource: str, reason: str) -> None:
    """Accept that the policy of `role` names `resource`, which holds a wildcard. To be called after the grant."""
    accept(role.node.find_child("DefaultPolicy"), f"AwsSolutions-IAM5[Resource::{resource}]", reason)
