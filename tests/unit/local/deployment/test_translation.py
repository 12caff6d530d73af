"""What the emulator does not understand is said in its words, and what that costs is told."""

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


def test_a_permission_loses_the_conditions_that_the_emulator_never_meets_and_no_others() -> None:
    resources = policy(copy.deepcopy(PUBLISHING))
    assert list(translate("s", resources)) == ["s/P: the conditions events:source of a permission"]
    (statement,) = resources["P"]["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": "1"}}


def test_a_condition_that_was_the_only_one_goes_whole() -> None:
    only = {**PUBLISHING, "Condition": {"StringEquals": {"events:source": "a"}}}
    resources = policy(only)
    assert len(list(translate("s", resources))) == 1
    assert only["Condition"] == {}


def test_prohibitions_and_other_permissions_are_let_be() -> None:
    resources = policy({**PUBLISHING, "Effect": "Deny"}, {"Effect": "Allow", "Action": "a", "Resource": "b"})
    before = copy.deepcopy(resources)
    assert list(translate("s", resources)) == []
    assert resources == before


def alarm(**properties: Any) -> dict[str, Any]:
    return {"A": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Threshold": 1, **properties}}}


def test_an_alarm_on_an_expression_stays_on_its_first_metric_and_tells_nobody() -> None:
    first = {
        "Id": "m0",
        "MetricStat": {"Metric": {"Namespace": "N", "MetricName": "M", "Dimensions": []}, "Stat": "p90"},
    }
    resources = alarm(Metrics=[{"Id": "e", "Expression": "m0 * 2"}, first], AlarmActions=["topic"])
    assert list(translate("s", resources)) == ["s/A: the alarm's metric math"]
    said = resources["A"]["Properties"]
    assert "Metrics" not in said
    assert (said["Namespace"], said["MetricName"], said["ActionsEnabled"]) == ("N", "M", False)


def test_an_alarm_on_one_metric_is_let_be() -> None:
    resources = alarm(Namespace="N", MetricName="M")
    assert list(translate("s", resources)) == []
    assert "ActionsEnabled" not in resources["A"]["Properties"]
