"""Event delivery: retried for 24 hours, then kept in the dead-letter queue for 14 days."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

MAX_EVENT_AGE = Duration.hours(24)
# The longest time for which SQS keeps a message.
RETENTION = Duration.days(14)


def to_function(function: lambda_.IFunction, dead_letters: sqs.IQueue) -> targets.LambdaFunction:
    """Deliver events to `function`; `dead_letters` receives those that EventBridge cannot deliver."""
    return targets.LambdaFunction(
        function,
        dead_letter_queue=dead_letters,
        max_event_age=MAX_EVENT_AGE,
        retry_attempts=185,  # EventBridge's maximum, so that only the age ends the retries
    )


def dead_letter_queue(scope: Construct, construct_id: str, *, key: kms.IKey) -> sqs.Queue:
    """A queue for events that could not be delivered, and for those that a function failed to process."""
    return sqs.Queue(
        scope,
        construct_id,
        encryption=sqs.QueueEncryption.KMS,
        encryption_master_key=key,
        enforce_ssl=True,
        retention_period=RETENTION,
        removal_policy=RemovalPolicy.DESTROY,
    )
