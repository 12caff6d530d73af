"""The topic for alarms. It outlives the stacks it serves, so that subscriptions are confirmed only once."""

from __future__ import annotations

from collections.abc import Iterable

from aws_cdk import Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct


class AlarmTopic(Construct):
    def __init__(self, scope: Construct, construct_id: str, *, key: kms.IKey, emails: Iterable[str]) -> None:
        super().__init__(scope, construct_id)
        self.resource = sns.Topic(self, "Topic", display_name="Dropscore alarms", master_key=key, enforce_ssl=True)
        self._allow_alarms_to_publish()
        for email in emails:
            self.resource.add_subscription(subscriptions.EmailSubscription(email))

    def notify_of(self, alarms: Iterable[cloudwatch.Alarm]) -> None:
        """Publish to the topic when these alarms are raised and when they return to OK."""
        for alarm in alarms:
            action = actions.SnsAction(self.resource)
            alarm.add_alarm_action(action)
            alarm.add_ok_action(action)

    def _allow_alarms_to_publish(self) -> None:
        """Allow alarms explicitly: a topic with its own policy loses SNS's default, which allows the account."""
        stack = Stack.of(self)
        self.resource.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[self.resource.topic_arn],
                conditions={
                    "StringEquals": {"aws:SourceAccount": stack.account},
                    "ArnLike": {"aws:SourceArn": stack.format_arn(service="cloudwatch", resource="alarm:*")},
                },
            )
        )
