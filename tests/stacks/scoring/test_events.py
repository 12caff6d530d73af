from __future__ import annotations

import pytest

from tests.stacks.building import Templates, listed, only, properties
from tests.stacks.conftest import Build

FUNCTIONS = ["Submit", "Track", "Reconcile"]
RULES = {"Submit": "Dropped", "Track": "StateChanged", "Reconcile": "Schedule"}


def test_only_objects_under_input_in_our_bucket_are_submitted(templates: Templates) -> None:
    pattern = only(templates.scoring, "AWS::Events::Rule", "Dropped")["EventPattern"]
    (bucket,) = pattern["detail"]["bucket"]["name"]
    assert pattern["source"] == ["aws.s3"]
    assert pattern["detail-type"] == ["Object Created"]
    assert pattern["detail"]["object"] == {"key": [{"prefix": "input/"}]}
    assert "ExportsOutputRefBucket" in bucket["Fn::ImportValue"]


def test_only_the_jobs_of_our_queue_are_tracked(templates: Templates) -> None:
    pattern = only(templates.scoring, "AWS::Events::Rule", "StateChanged")["EventPattern"]
    (queue,) = properties(templates.scoring, "AWS::Batch::JobQueue")
    assert pattern["source"] == ["aws.batch"]
    assert pattern["detail-type"] == ["Batch Job State Change"]
    assert pattern["detail"] == {"jobQueue": [{"Fn::GetAtt": [queue, "JobQueueArn"]}]}


def test_lost_events_are_looked_for_on_a_schedule(build_template: Build) -> None:
    templates = build_template({"reconcile.every_minutes": 5})
    assert only(templates.scoring, "AWS::Events::Rule", "Schedule")["ScheduleExpression"] == "rate(5 minutes)"
    assert only(templates.scoring, "AWS::Lambda::Function", "Reconcile")["Timeout"] == 900


@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_event_that_cannot_be_delivered_is_kept(templates: Templates, function: str) -> None:
    (queue,) = properties(templates.scoring, "AWS::SQS::Queue")
    (target,) = only(templates.scoring, "AWS::Events::Rule", RULES[function])["Targets"]
    assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": [queue, "Arn"]}}
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_event_that_a_function_gives_up_on_is_kept(templates: Templates, function: str) -> None:
    (queue,) = properties(templates.scoring, "AWS::SQS::Queue")
    kept = only(templates.scoring, "AWS::Lambda::Function", function)["DeadLetterConfig"]
    assert kept == {"TargetArn": {"Fn::GetAtt": [queue, "Arn"]}}


def test_the_dead_letter_queue_is_encrypted_refuses_plain_http_and_keeps_a_fortnight(templates: Templates) -> None:
    queue = only(templates.scoring, "AWS::SQS::Queue")
    assert "ExportsOutputFnGetAttOperationsKey" in queue["KmsMasterKeyId"]["Fn::ImportValue"]
    assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600
    policy = only(templates.scoring, "AWS::SQS::QueuePolicy")["PolicyDocument"]["Statement"]
    denied = [each for each in policy if each["Effect"] == "Deny"]
    assert [each["Condition"] for each in denied] == [{"Bool": {"aws:SecureTransport": "false"}}]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_rule_may_write_to_the_dead_letter_queue(templates: Templates, function: str) -> None:
    policy = only(templates.scoring, "AWS::SQS::QueuePolicy")["PolicyDocument"]["Statement"]
    allowed = [each for each in policy if each["Effect"] == "Allow"]
    sources = [each["Condition"]["ArnEquals"]["aws:SourceArn"]["Fn::GetAtt"][0] for each in allowed]
    assert [RULES[function] in source for source in sources].count(True) == 1
    assert {tuple(listed(each["Action"])) for each in allowed} == {("sqs:SendMessage",)}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_runs_its_own_handler_and_writes_to_its_own_log(templates: Templates, function: str) -> None:
    deployed = only(templates.scoring, "AWS::Lambda::Function", function)
    assert deployed["Handler"] == f"lambdas.scoring.{function.lower()}.handler.handler"
    assert function in deployed["LoggingConfig"]["LogGroup"]["Ref"]
    assert deployed["Architectures"] == ["arm64"]


def test_every_log_ends(templates: Templates) -> None:
    groups = properties(templates.scoring, "AWS::Logs::LogGroup")
    assert len(groups) == 6
    assert all(group["RetentionInDays"] == 90 for group in groups.values())


def test_the_outputs_that_the_command_line_reads(templates: Templates) -> None:
    assert set(templates.scoring["Outputs"]) == {
        "JobQueueArn",
        "JobDefinitionArn",
        "SubmitFunctionName",
        "TrackFunctionName",
        "ReconcileFunctionName",
        "AnnounceFunctionName",
        "DashboardName",
        "DeadLetterQueueUrl",
    }
