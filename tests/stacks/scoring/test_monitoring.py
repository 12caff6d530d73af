"""Alarms notify, link to instructions and use existing metrics; the dashboard shows them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from schema.metrics import NAMESPACE, UNITS
from tests.stacks.building import ROOT, Json, Templates, only, properties, rendered
from tests.stacks.conftest import Build
from tests.stacks.hosting.test_hosting import TWO_MODELS

ALARMS = {
    *("JobsFailed", "DeadLetters", "DeadLetterDeliveryFailed", "JobsStuck", "ReconcileRepairs", "ReconcileNotRunning"),
    *("FunctionErrors", "FunctionThrottles", "Late", "Throttled"),
}
OURS = "MonitoringAlarms"
DOCUMENT = (ROOT / "docs" / "monitoring.md").read_text()


def alarms(templates: Templates) -> dict[str, Json]:
    """All alarms that notify; those of scoring by name."""
    found = properties(templates.scoring, "AWS::CloudWatch::Alarm")
    return {name.removeprefix(OURS)[:-8]: each for name, each in found.items() if name.startswith(OURS)}


def metrics_in(thing: Any) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Namespace, name and dimensions of all metrics that an alarm uses."""
    if "MetricName" in thing:
        named = {each["Name"]: rendered(each["Value"]) for each in thing.get("Dimensions", [])}
        yield thing["Namespace"], thing["MetricName"], named
    for each in thing.get("Metrics", []):
        yield from metrics_in(each.get("MetricStat", {}).get("Metric", {}))


def widgets(templates: Templates) -> list[Json]:
    body = only(templates.scoring, "AWS::CloudWatch::Dashboard")["DashboardBody"]
    found: list[Json] = json.loads(rendered(body))["widgets"]
    return found


def test_each_alarm_is_there(templates: Templates) -> None:
    assert set(alarms(templates)) == ALARMS


@pytest.mark.parametrize("name", sorted(ALARMS))
def test_an_alarm_is_heard_when_it_begins_and_when_it_ends_and_says_what_to_do(templates: Templates, name: str) -> None:
    alarm = alarms(templates)[name]
    for actions in (alarm["AlarmActions"], alarm["OKActions"]):
        (topic,) = actions
        assert "AlarmsTopic" in topic["Fn::ImportValue"]
    anchor = re.search(r"^Dropscore dev: .+\. What to do: docs/monitoring\.md#(\w+)$", alarm["AlarmDescription"])
    assert anchor
    assert re.search(rf"^### `{anchor[1]}`$", DOCUMENT, re.MULTILINE | re.IGNORECASE), "there is no such section"


def test_the_endpoints_alarms_are_heard_too(templates: Templates) -> None:
    theirs = properties(templates.hosting, "AWS::CloudWatch::Alarm")
    notifying = [name for name, each in theirs.items() if "AlarmActions" in each and "OKActions" in each]
    assert len([name for name in notifying if "Health" in name]) == 2


def test_alarms_and_dashboard_name_only_metrics_that_are_written(templates: Templates) -> None:
    looked_at = [metric for alarm in alarms(templates).values() for metric in metrics_in(alarm)]
    shown = [
        (metric[0], metric[1])
        for widget in widgets(templates)
        for metric in widget["properties"].get("metrics", [])
        if isinstance(metric[0], str)
    ]
    named = {name for namespace, name, _ in looked_at if namespace == NAMESPACE}
    named |= {name for namespace, name in shown if namespace == NAMESPACE}
    assert named <= set(UNITS)
    assert named >= {"JobsFailed", "OldestUnfinished", "ReconcileRepairs", "Throttles", "Requests", "Rows", "QueueTime"}
    own = [dimensions for namespace, _, dimensions in looked_at if namespace == NAMESPACE]
    assert own == [{"Environment": "dev"}] * len(own)


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        *((name, "notBreaching") for name in sorted(ALARMS - {"JobsStuck", "ReconcileNotRunning"})),
        ("JobsStuck", "ignore"),
        ("ReconcileNotRunning", "breaching"),
    ],
)
def test_silence_means_the_right_thing(templates: Templates, name: str, missing: str) -> None:
    assert alarms(templates)[name]["TreatMissingData"] == missing


def test_the_settings_say_what_is_stuck_and_how_long_silence_may_last(build_template: Build) -> None:
    changed = {"monitoring.stuck_minutes": 45, "reconcile.every_minutes": 20}
    found = alarms(build_template(changed))
    assert (found["JobsStuck"]["Threshold"], found["JobsStuck"]["Period"]) == (45 * 60, 1200)
    silent = found["ReconcileNotRunning"]
    assert (silent["Period"], silent["EvaluationPeriods"], silent["ComparisonOperator"]) == (
        1200,
        3,
        "LessThanThreshold",
    )


@pytest.mark.parametrize("every_minutes", [1, 60, 1440])
def test_no_alarm_asks_for_more_than_cloudwatch_has(build_template: Build, every_minutes: int) -> None:
    """At most ten metrics per expression and one day of evaluation; one week if periods are an hour or longer."""
    found = alarms(build_template({"reconcile.every_minutes": every_minutes}))
    for alarm in found.values():
        assert len(list(metrics_in(alarm))) <= 10
        periods = [alarm["Period"]] if "Period" in alarm else []
        periods += [each["MetricStat"]["Period"] for each in alarm.get("Metrics", []) if "MetricStat" in each]
        seconds = alarm["EvaluationPeriods"] * max(periods)
        assert seconds <= (604_800 if max(periods) >= 3600 else 86_400)


def test_every_function_and_every_rule_is_watched(templates: Templates) -> None:
    found = alarms(templates)
    functions = set(properties(templates.scoring, "AWS::Lambda::Function"))
    rules = set(properties(templates.scoring, "AWS::Events::Rule"))
    for name in ("FunctionErrors", "FunctionThrottles", "DeadLetterDeliveryFailed"):
        watched = {
            dimensions.get("FunctionName", "").removeprefix("sample-") for *_, dimensions in metrics_in(found[name])
        }
        assert watched - {""} == functions, name
    watched = {
        dimensions["RuleName"].removeprefix("sample-")
        for *_, dimensions in metrics_in(found["DeadLetterDeliveryFailed"])
        if "RuleName" in dimensions
    }
    assert watched == rules


def test_the_topic_is_encrypted_wants_tls_and_takes_alarms_of_this_account_only(build_template: Build) -> None:
    storage = build_template({"monitoring.emails": ["a@example.com", "b@example.com"]}).storage
    topic = only(storage, "AWS::SNS::Topic")
    assert "OperationsKey" in rendered(topic["KmsMasterKeyId"])
    subscriptions = properties(storage, "AWS::SNS::Subscription").values()
    assert {(each["Protocol"], each["Endpoint"]) for each in subscriptions} == {
        ("email", "a@example.com"),
        ("email", "b@example.com"),
    }
    policy = only(storage, "AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]
    (denied,) = [each for each in policy if each["Effect"] == "Deny"]
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    (allowed,) = [each for each in policy if each["Effect"] == "Allow"]
    assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert allowed["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    assert rendered(allowed["Condition"]["ArnLike"]["aws:SourceArn"]).endswith(":alarm:*")


def test_the_topic_survives_what_it_watches(templates: Templates) -> None:
    """A person must confirm a subscription, so the topic must outlive a stack that may be deployed again."""
    assert not properties(templates.scoring, "AWS::SNS::Topic")
    assert len(properties(templates.storage, "AWS::SNS::Topic")) == 1


def test_the_dashboard_answers_first_whether_it_is_fine(build_template: Build) -> None:
    templates = build_template(TWO_MODELS)
    found = widgets(templates)
    status = found[1]
    assert (status["type"], status["y"]) == ("alarm", 0)
    assert len(status["properties"]["alarms"]) == len(ALARMS) + 2 * 2
    titles = [each["properties"].get("title", each["properties"].get("markdown", "")) for each in found]
    order = [titles.index(title) for title in ("Jobs that ended", "## Throughput", "## Models", "## Cost")]
    assert order == sorted(order)
    assert {"fraud: requests a minute", "credit-card: requests a minute"} <= set(titles)


def test_the_dashboard_shows_troubles_of_all_processes(templates: Templates) -> None:
    (query,) = [each["properties"]["query"] for each in widgets(templates) if each["type"] == "log"]
    assert query.count("SOURCE") == 5
    assert "job_id" in query
