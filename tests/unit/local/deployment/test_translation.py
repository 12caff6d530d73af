"""Unsupported properties are replaced, and each change is listed."""

from __future__ import annotations

import copy
from typing import Any

from local.deployment.translation import translate

PUBLISHING = {
    "Effect": "Allow",
    "Action": "events:PutEvents",
    "Resource": "arn",
    "Condition": {"StringEquals": {"events:source": "dropscore", "aws:SourceAccount": "1"}},
}


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"P": {"Type": "AWS::IAM::Policy", "Properties": {"PolicyDocument": {"Statement": [*statements]}}}}


def test_only_unsupported_conditions_are_removed() -> None:
    resources = policy(copy.deepcopy(PUBLISHING))
    assert list(translate("s", resources)) == ["s/P: the conditions events:source of a permission"]
    (statement,) = resources["P"]["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": "1"}}


def test_an_operator_without_conditions_is_removed() -> None:
    only = {**PUBLISHING, "Condition": {"StringEquals": {"events:source": "a"}}}
    resources = policy(only)
    assert len(list(translate("s", resources))) == 1
    assert only["Condition"] == {}


def test_deny_and_other_statements_are_unchanged() -> None:
    resources = policy({**PUBLISHING, "Effect": "Deny"}, {"Effect": "Allow", "Action": "a", "Resource": "b"})
    before = copy.deepcopy(resources)
    assert list(translate("s", resources)) == []
    assert resources == before


def alarm(**properties: Any) -> dict[str, Any]:
    return {"A": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Threshold": 1, **properties}}}


def test_metric_math_becomes_its_first_metric_without_actions() -> None:
    first = {
        "Id": "m0",
        "MetricStat": {"Metric": {"Namespace": "N", "MetricName": "M", "Dimensions": []}, "Stat": "p90"},
    }
    resources = alarm(Metrics=[{"Id": "e", "Expression": "m0 * 2"}, first], AlarmActions=["topic"])
    assert list(translate("s", resources)) == ["s/A: the alarm's metric math"]
    properties = resources["A"]["Properties"]
    assert "Metrics" not in properties
    assert (properties["Namespace"], properties["MetricName"], properties["ActionsEnabled"]) == ("N", "M", False)


def test_an_alarm_on_one_metric_is_unchanged() -> None:
    resources = alarm(Namespace="N", MetricName="M")
    assert list(translate("s", resources)) == []
    assert "ActionsEnabled" not in resources["A"]["Properties"]
