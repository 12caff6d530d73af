"""All permissions of all roles, so that a new permission must also be added here."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from tests.stacks.building import Json, Templates, listed, only, properties, rendered, statements

KEY = "sample-dropscore-dev-storage:ExportsOutputFnGetAttKey961B73FDArn5A860C43"
TABLE = "sample-dropscore-dev-storage:ExportsOutputFnGetAttJobsDF1CC2D4Arn85C9CFC3"
BUCKET = "sample-dropscore-dev-storage:ExportsOutputFnGetAttBucket83908E77Arn063C8555"
OPERATIONS_KEY = "sample-dropscore-dev-storage:ExportsOutputFnGetAttOperationsKey2329F47AArn169EDADE"
QUEUE = "sample-DeadLettersBBF8BAAB-Arn"
ARN = "arn:sample-AWS::Partition"
HERE = "sample-AWS::Region:sample-AWS::AccountId"
ENDPOINT = f"{ARN}:sagemaker:{HERE}:endpoint/dropscore-dev-fraud"
USE_KEY = {"kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"}
TRACE = {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}
WRITE_LOG = {"logs:CreateLogStream", "logs:PutLogEvents"}
PULL = {"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}
LOG_GROUPS = f"{ARN}:logs:{HERE}:log-group:"
IMAGES = f"{ARN}:ecr:{HERE}:repository/cdk-hnb659fds-container-assets-${{AWS::AccountId}}-${{AWS::Region}}"


def test_submit_claims_files_looks_into_them_and_submits_jobs(templates: Templates) -> None:
    assert _allowed(templates.scoring, "IntakeSubmitRole") == {
        "sample-IntakeSubmitLogsD65C8D95-Arn": WRITE_LOG,
        "*": TRACE,
        QUEUE: {"sqs:SendMessage"},
        OPERATIONS_KEY: {"kms:Decrypt", "kms:GenerateDataKey"},
        KEY: USE_KEY,
        TABLE: {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"},
        BUCKET: {"s3:ListBucket"},
        f"{BUCKET}/input/*": {"s3:GetObject", "s3:GetObjectVersion"},
        f"{ARN}:batch:{HERE}:job/*": {"batch:TagResource"},
        f"sample-{_queue(templates)}-JobQueueArn": {"batch:SubmitJob"},
        f"{ARN}:batch:{HERE}:job-definition/{_definition(templates)}:*": {"batch:SubmitJob"},
    }


def test_reconcile_may_what_submit_may_and_look(templates: Templates) -> None:
    allowed = _allowed(templates.scoring, "ReconciliationReconcileRole")
    submit = _allowed(templates.scoring, "IntakeSubmitRole")
    assert allowed.pop("*") == submit.pop("*") | {"batch:DescribeJobs"}
    assert allowed.pop(f"{TABLE}/index/by_status") == {"dynamodb:Query"}
    assert allowed.pop(TABLE) == submit.pop(TABLE) | {"dynamodb:BatchGetItem"}
    assert allowed.pop(f"{BUCKET}/parts/*") == {"s3:GetObject"}
    assert allowed.pop(f"{BUCKET}/output/*") == {"s3:GetObject", "s3:PutObject"}
    assert allowed.pop(BUCKET) == submit.pop(BUCKET) | {"s3:ListBucketVersions"}
    logs = [name for name in (*allowed, *submit) if "Logs" in name]
    assert [(allowed | submit)[name] for name in logs] == [WRITE_LOG, WRITE_LOG]
    assert {name: actions for name, actions in allowed.items() if name not in logs} == {
        name: actions for name, actions in submit.items() if name not in logs
    }


def test_track_moves_jobs_on_and_brings_what_belongs_beside_an_output(templates: Templates) -> None:
    assert _allowed(templates.scoring, "TrackingTrackRole") == {
        "sample-TrackingTrackLogs8C00664D-Arn": WRITE_LOG,
        "*": TRACE,
        QUEUE: {"sqs:SendMessage"},
        OPERATIONS_KEY: {"kms:Decrypt", "kms:GenerateDataKey"},
        KEY: USE_KEY,
        TABLE: {"dynamodb:GetItem", "dynamodb:UpdateItem"},
        BUCKET: {"s3:ListBucket"},
        f"{BUCKET}/parts/*": {"s3:GetObject"},
        f"{BUCKET}/output/*": {"s3:GetObject", "s3:PutObject"},
    }


def test_a_worker_reads_input_writes_parts_and_output_and_asks_the_endpoint(templates: Templates) -> None:
    assert _allowed(templates.scoring, "WorkerRole") == {
        KEY: USE_KEY,
        TABLE: {"dynamodb:GetItem", "dynamodb:UpdateItem"},
        BUCKET: {"s3:ListBucket"},
        f"{BUCKET}/input/*": {"s3:GetObjectVersion"},
        f"{BUCKET}/parts/*": {"s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"},
        f"{BUCKET}/output/*": {"s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"},
        ENDPOINT: {"sagemaker:InvokeEndpoint"},
    }


def test_the_workers_execution_role_pulls_the_image_and_writes_the_log(templates: Templates) -> None:
    assert _allowed(templates.scoring, "WorkerExecutionRole") == {
        "sample-WorkerLogs4B5B6506-Arn": WRITE_LOG,
        IMAGES: PULL,
        "*": {"ecr:GetAuthorizationToken"},
    }


def test_the_model_pulls_its_image_reads_its_artifact_and_reports(templates: Templates) -> None:
    allowed = _allowed(templates.hosting, "FraudRole")
    (artifact,) = [resource for resource in allowed if ":s3:::" in resource]
    assert "*" not in artifact
    watched = {f"sample-{name}-Arn" for name in properties(templates.hosting, "AWS::CloudWatch::Alarm")}
    assert len(watched) == 2
    assert allowed == {
        artifact: {"s3:GetObject"},
        IMAGES: PULL,
        **{alarm: {"cloudwatch:DescribeAlarms"} for alarm in watched},
        f"{LOG_GROUPS}/aws/sagemaker/Endpoints/dropscore-dev-fraud:*": {"logs:CreateLogGroup", *WRITE_LOG},
        "*": {"ecr:GetAuthorizationToken", "cloudwatch:PutMetricData"},
    }
    (metrics,) = [each for each in statements(templates.hosting, "FraudRole") if "PutMetric" in str(each["Action"])]
    namespaces = metrics["Condition"]["StringEquals"]["cloudwatch:namespace"]
    assert namespaces == ["/aws/sagemaker/Endpoints", "/aws/sagemaker/InferenceComponents", "AWS/SageMaker"]


@pytest.mark.parametrize("stack", ["storage", "hosting", "scoring"])
def test_no_role_may_do_an_action_by_wildcard(templates: Templates, stack: str) -> None:
    for name, policy in properties(templates.every[stack], "AWS::IAM::Policy").items():
        for statement in policy["PolicyDocument"]["Statement"]:
            assert not [action for action in listed(statement["Action"]) if "*" in action], name


@pytest.mark.parametrize("stack", ["storage", "hosting", "scoring"])
def test_no_role_borrows_a_managed_policy(templates: Templates, stack: str) -> None:
    for role in properties(templates.every[stack], "AWS::IAM::Role").values():
        assert "ManagedPolicyArns" not in role


def test_any_resource_is_meant_only_where_the_action_knows_none(templates: Templates) -> None:
    without_resource = {
        *("batch:DescribeJobs", "cloudwatch:GetMetricData", "cloudwatch:PutMetricData"),
        *("dynamodb:ListStreams", "ecr:GetAuthorizationToken", *TRACE),
    }
    anywhere = {
        action
        for template in templates.every.values()
        for policy in properties(template, "AWS::IAM::Policy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if "*" in listed(statement["Resource"])
        for action in listed(statement["Action"])
    }
    assert anywhere == without_resource


def _queue(templates: Templates) -> str:
    (name,) = properties(templates.scoring, "AWS::Batch::JobQueue")
    return name


def _definition(templates: Templates) -> str:
    (name,) = properties(templates.scoring, "AWS::Batch::JobDefinition")
    return f"<name of {name}>"


def _allowed(template: Json, role: str) -> dict[str, set[str]]:
    """Actions by resource. `role` is the beginning of the role's logical id."""
    (policy,) = [name for name in properties(template, "AWS::IAM::Policy") if name.startswith(f"{role}Default")]
    allowed: dict[str, set[str]] = defaultdict(set)
    for statement in only(template, "AWS::IAM::Policy", policy)["PolicyDocument"]["Statement"]:
        assert statement["Effect"] == "Allow"
        for resource in listed(statement["Resource"]):
            allowed[_resource(resource)] |= set(listed(statement["Action"]))
    return allowed


def _resource(value: Any) -> str:
    match value:
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(_resource(part) for part in parts)
        case {"Fn::Select": [0, {"Fn::Split": [":", {"Fn::Select": [1, {"Fn::Split": ["/", {"Ref": name}]}]}]}]}:
            return f"<name of {name}>"
    return rendered(value)
