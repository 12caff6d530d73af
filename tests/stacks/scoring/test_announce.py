"""Announcements of ended jobs: read from the table's stream, published from Dropscore's source, kept on failure."""

from __future__ import annotations

import json

from dropscore.events.announce import BATCH_SIZE, TYPES
from dropscore.settings import AnnounceSettings
from schema.events import SOURCE
from tests.stacks.building import Templates, listed, only, properties, rendered, statements


def test_only_the_ends_of_jobs_wake_the_function(templates: Templates) -> None:
    mapping = only(templates.scoring, "AWS::Lambda::EventSourceMapping")
    (pattern,) = mapping["FilterCriteria"]["Filters"]
    assert json.loads(pattern["Pattern"]) == {
        "eventName": ["MODIFY"],
        "dynamodb": {"NewImage": {"status": {"S": [str(state) for state in TYPES]}}},
    }


def test_what_cannot_be_announced_is_tried_again_alone_and_then_kept(templates: Templates) -> None:
    mapping = only(templates.scoring, "AWS::Lambda::EventSourceMapping")
    (queue,) = properties(templates.scoring, "AWS::SQS::Queue")
    assert mapping["DestinationConfig"]["OnFailure"]["Destination"] == {"Fn::GetAtt": [queue, "Arn"]}
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BisectBatchOnFunctionError"] is True
    assert mapping["BatchSize"] == BATCH_SIZE
    assert mapping["StartingPosition"] == "TRIM_HORIZON"
    assert mapping["MaximumRetryAttempts"] > 0
    assert 3600 <= mapping["MaximumRecordAgeInSeconds"] <= 12 * 3600, "time must be left to redrive the rest"


def test_the_stream_holds_what_a_job_was_and_what_it_is(templates: Templates) -> None:
    table = only(templates.storage, "AWS::DynamoDB::Table")
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    mapping = only(templates.scoring, "AWS::Lambda::EventSourceMapping")
    assert "StreamArn" in mapping["EventSourceArn"]["Fn::ImportValue"]


def test_the_mapping_waits_for_the_permission_to_read_the_stream(templates: Templates) -> None:
    (mapping,) = [
        each for each in templates.scoring["Resources"].values() if each["Type"] == "AWS::Lambda::EventSourceMapping"
    ]
    assert any("AnnounceRoleDefaultPolicy" in name for name in mapping["DependsOn"])


def test_the_function_may_publish_as_ourselves_only_and_read_the_stream_only(templates: Templates) -> None:
    every = statements(templates.scoring, "AnnouncingAnnounceRole")
    (publishing,) = [each for each in every if "events:PutEvents" in listed(each["Action"])]
    assert rendered(publishing["Resource"]).endswith(":event-bus/default")
    assert publishing["Condition"] == {
        "StringEquals": {"events:source": SOURCE, "events:detail-type": list(TYPES.values())}
    }
    (reading,) = [each for each in every if "dynamodb:GetRecords" in listed(each["Action"])]
    assert set(reading["Action"]) == {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"}
    assert "StreamArn" in reading["Resource"]["Fn::ImportValue"]
    actions = {action for each in every for action in listed(each["Action"])}
    assert actions == {
        *("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"),
        *("events:PutEvents", "kms:Decrypt", "kms:GenerateDataKey", "sqs:SendMessage"),
        *("logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTelemetryRecords", "xray:PutTraceSegments"),
    }


def test_announce_reads_what_the_stack_writes(templates: Templates) -> None:
    variables = only(templates.scoring, "AWS::Lambda::Function", "Announce")["Environment"]["Variables"]
    settings = AnnounceSettings.from_env({key: rendered(value) for key, value in variables.items()})
    assert (settings.environment, "Bucket" in settings.bucket) == ("dev", True)
    assert set(variables) == {"ENVIRONMENT", "BUCKET"}
