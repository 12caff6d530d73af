"""The policy checks of the app, and the findings that were reviewed and accepted, each with its reason."""

from __future__ import annotations

from aws_cdk import Acknowledgment, App, Validations
from aws_cdk import aws_iam as iam
from cdk_nag import AwsSolutionsChecks, NIST80053R5Checks
from constructs import IConstruct

ACCEPTED_EVERYWHERE = {
    "NIST.800.53.R5-IAMNoInlinePolicy": (
        "Each policy belongs to one role, grants what one program needs, and is deleted with it. A managed policy "
        "could be attached to a role for which it was not reviewed."
    ),
    "NIST.800.53.R5-LambdaInsideVPC": (
        "The functions call AWS APIs only, with roles that name each resource. In the VPC, each service that they "
        "call would need an interface endpoint in every zone."
    ),
    "NIST.800.53.R5-LambdaConcurrency": (
        "Reserved concurrency reduces what the account's other functions can use, and a new account has none to spare. "
        "Throttled events are retried and finally kept in the dead-letter queue, so none is lost."
    ),
    "NIST.800.53.R5-DynamoDBInBackupPlan": (
        "Point-in-time recovery covers every second of the last 35 days. AWS Backup plans belong to the account and "
        "select resources by tags; set them with deploy.tags."
    ),
    "NIST.800.53.R5-S3BucketReplicationEnabled": (
        "A deployment uses one region; S3 stores each object in three zones, and the bucket keeps overwritten versions "
        "for 90 days. The uploader still has the inputs, which can be scored again."
    ),
    # Security Hub reports this as EC2.2. To close the group, set "@aws-cdk/aws-ec2:restrictDefaultSecurityGroup": true
    # in cdk.json; the CDK then adds a custom resource with a Lambda function.
    "NIST.800.53.R5-VPCDefaultSecurityGroupClosed": (
        "CloudFormation cannot close the default group without a custom resource, and nothing uses the group."
    ),
}
"""Findings accepted on every resource, because they follow from the design as a whole."""

EQUIVALENT_RULES = {
    "AwsSolutions-S1": "NIST.800.53.R5-S3BucketLoggingEnabled",
    "AwsSolutions-VPC7": "NIST.800.53.R5-VPCFlowLogsEnabled",
}
"""Rules of AWS Solutions, and the rules of NIST 800-53 that check the same thing."""


def check_policies(app: App) -> None:
    """Make the synth fail on every finding of AWS Solutions and NIST 800-53 that is not accepted."""
    Validations.of(app).add_plugins(AwsSolutionsChecks(app), NIST80053R5Checks(app))
    for finding, reason in ACCEPTED_EVERYWHERE.items():
        accept(app, finding, reason)


def accept(resource: IConstruct, finding: str, reason: str) -> None:
    """Accept `finding` (cdk-nag's exact id) and the equivalent rule on `resource` and its children."""
    for rule in filter(None, (finding, EQUIVALENT_RULES.get(finding))):
        Validations.of(resource).acknowledge(Acknowledgment(id=rule, reason=reason))


def accept_resource(role: iam.IRole, resource: str, reason: str) -> None:
    """Accept that the policy of `role` names `resource`, which contains a wildcard. Call it after the grant."""
    # The CDK creates this child with the first grant to the role.
    accept(role.node.find_child("DefaultPolicy"), f"AwsSolutions-IAM5[Resource::{resource}]", reason)
