"""The jobs table: one item per job, with indexes by input file and by status (docs/jobs-table.md)."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from constructs import Construct

INDEXES = ("by_file", "by_status")


def jobs_table(
    scope: Construct,
    construct_id: str,
    *,
    key: kms.IKey,
    removal: RemovalPolicy,
    expires: bool,
    termination_protection: bool,
) -> dynamodb.Table:
    table = dynamodb.Table(
        scope,
        construct_id,
        partition_key=_text("job_id"),
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
        encryption_key=key,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
        stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,  # no row content in either
        time_to_live_attribute="expires_at" if expires else None,
        deletion_protection=termination_protection,
        removal_policy=removal,
    )
    for index in INDEXES:
        table.add_global_secondary_index(
            index_name=index,
            partition_key=_text(index.removeprefix("by_")),
            sort_key=_text("submitted_at"),
        )
    return table


def _text(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
