"""The policy checks of the app, and what of their findings was looked at and accepted, each with its reason."""

from __future__ import annotations

from aws_cdk import Acknowledgment, App, Validations
from aws_cdk import aws_iam as iam
from cdk_nag import AwsSolutionsChecks, NIST80053R5Checks
from constructs import IConstruct

EVERYWHERE = {
    "NIST.800.53.R5-IAMNoInlinePolicy": (
        "A policy of ours belongs to one role, says what that one program does, and goes with it. A managed policy "
        "could be attached elsewhere, where what it says was never looked at."
    ),
    "NIST.800.53.R5-LambdaInsideVPC": (
        "The functions call AWS's interfaces alone, under roles that name each resource. In the VPC each service "
        "that they call would want an endpoint of its own in every zone."
    ),
    "NIST.800.53.R5-LambdaConcurrency": (
        "A reservation is taken from all other functions of the account, and a new account has none to give. What is "
        "throttled is tried again, and kept in the dead-letter queue in the end: nothing is lost."
    ),
    "NIST.800.53.R5-DynamoDBInBackupPlan": (
        "Point-in-time recovery keeps every second of 35 days. Plans of AWS Backup are the account's, and choose what "
        "they take by tags: deploy.tags puts them on."
    ),
    "NIST.800.53.R5-S3BucketReplicationEnabled": (
        "A deployment lives in one region; S3 keeps each object in three zones, and overwritten versions for 90 days. "
        "Files are dropped by someone who has them, and can be scored again."
    ),
    # Security Hub reports this as EC2.2. "@aws-cdk/aws-ec2:restrictDefaultSecurityGroup": true in cdk.json closes the
    # group, by a custom resource with a Lambda function.
    "NIST.800.53.R5-VPCDefaultSecurityGroupClosed": (
        "CloudFormation cannot close the default group without a custom resource; nothing is in it."
    ),
}
"""Accepted wherever it is found: what follows from the whole design, not from one resource."""

TWINS = {
    "AwsSolutions-S1": "NIST.800.53.R5-S3BucketLoggingEnabled",
    "AwsSolutions-VPC7": "NIST.800.53.R5-VPCFlowLogsEnabled",
}
"""The same question asked by both packs."""


def check_policies(app: App) -> None:
    """Have the synth fail for every finding of AWS Solutions and of NIST 800-53 that is not accepted."""
    Validations.of(app).add_plugins(AwsSolutionsChecks(app), NIST80053R5Checks(app))
    for finding, reason in EVERYWHERE.items():
        accept(app, finding, reason)


def accept(resource: IConstruct, finding: str, reason: str) -> None:
    """Accept `finding` (cdk-nag's exact id), and its twin, on `resource` and on what it consists of."""
    for each in filter(None, (finding, TWINS.get(finding))):
        Validations.of(resource).acknowledge(Acknowledgment(id=each, reason=reason))


def accept_resource(role: iam.IRole, resource: str, reason: str) -> None:
    """Accept that the policy of `role` names `resource`, which holds a wildcard. To be called after the grant."""
    accept(role.node.find_child("DefaultPolicy"), f"AwsSolutions-IAM5[Resource::{resource}]", reason)
