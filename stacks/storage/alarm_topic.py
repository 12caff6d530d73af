"""Where alarms are heard: a topic that outlives what it watches, so that its subscriptions need be confirmed once."""

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
        self._let_alarms_publish()
        for email in emails:
            self.resource.add_subscription(subscriptions.EmailSubscription(email))

    def hear(self, alarms: Iterable[cloudwatch.Alarm]) -> None:
        """Let the topic tell of these alarms, when they begin and when they are over."""
        for alarm in alarms:
            told = actions.SnsAction(self.resource)
            alarm.add_alarm_action(told)
            alarm.add_ok_action(told)

    def _let_alarms_publish(self) -> None:
        """A topic with a policy of its own takes nothing that the policy does not name, not even this account's."""
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
