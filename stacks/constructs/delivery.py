"""How events are delivered: tried for a day, then kept for a fortnight in the dead-letter queue."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

TRIED_FOR = Duration.hours(24)
KEPT_FOR = Duration.days(14)


def to_function(function: lambda_.IFunction, dead_letters: sqs.IQueue) -> targets.LambdaFunction:
    return targets.LambdaFunction(function, dead_letter_queue=dead_letters, max_event_age=TRIED_FOR, retry_attempts=185)


def dead_letter_queue(scope: Construct, construct_id: str, *, key: kms.IKey) -> sqs.Queue:
    """Where events end that could not be delivered, and those that a function gave up on."""
    return sqs.Queue(
        scope,
        construct_id,
        encryption=sqs.QueueEncryption.KMS,
        encryption_master_key=key,
        enforce_ssl=True,
        retention_period=KEPT_FOR,
        removal_policy=RemovalPolicy.DESTROY,
    )
