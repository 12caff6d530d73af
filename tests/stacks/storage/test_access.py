"""The ready-made permissions: all that each allows, and that no principal of Dropscore can extend its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from stacks.settings.problems import SettingsError
from tests.stacks.building import Json, Templates, listed, only, properties, rendered
from tests.stacks.conftest import Build

BUCKET, TABLE = "sample-Bucket83908E77-Arn", "sample-JobsDF1CC2D4-Arn"
DATA_KEY = "sample-Key961B73FD-Arn"
HERE = "sample-AWS::Region:sample-AWS::AccountId"
STACKS = f"arn:sample-AWS::Partition:cloudformation:{HERE}:stack"
SETTINGS: list[dict[str, object]] = [{}, {"deploy.images": "codebuild", "worker.compute": "ec2", "network.mode": "nat"}]

Grant = tuple[str, str, str]


def _granted(policy: Json) -> set[Grant]:
    """(action, resource, condition) of each statement."""
    return {
        (action, rendered(resource), _condition(statement.get("Condition", {})))
        for statement in policy["PolicyDocument"]["Statement"]
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }


def _condition(conditions: Json) -> str:
    return "; ".join(
        f"{operator} {key} {' '.join(rendered(each) for each in listed(value))}"
        for operator, values in conditions.items()
        for key, value in values.items()
    )


def _through(*services: str) -> str:
    return "StringEquals kms:ViaService " + " ".join(
        f"{service}.sample-AWS::Region.sample-AWS::URLSuffix" for service in services
    )


def test_uploaders_put_under_input_and_read_nothing(templates: Templates) -> None:
    assert _granted(only(templates.storage, "AWS::IAM::ManagedPolicy", "Uploaders")) == {
        ("s3:PutObject", f"{BUCKET}/input/*", ""),
        ("s3:AbortMultipartUpload", f"{BUCKET}/input/*", ""),
        ("s3:ListMultipartUploadParts", f"{BUCKET}/input/*", ""),
        ("s3:ListBucket", BUCKET, "StringLike s3:prefix input/*"),
        ("kms:GenerateDataKey", DATA_KEY, _through("s3")),
        ("kms:Decrypt", DATA_KEY, _through("s3")),
        ("cloudformation:DescribeStacks", f"{STACKS}/dropscore-dev-storage/*", ""),
    }


def test_uploaders_of_a_route_put_into_its_folder_only(build_template: Build) -> None:
    """They also cannot place job options next to another route's files."""
    storage = build_template({"routes.claims.model": "fraud", "routes.claims.uploaders": True}).storage
    granted = _granted(only(storage, "AWS::IAM::ManagedPolicy", "UploadersOfclaims"))
    everywhere = _granted(only(build_template({}).storage, "AWS::IAM::ManagedPolicy", "Uploaders"))
    assert {grant for grant in granted if grant[0].startswith("s3:")} == {
        ("s3:PutObject", f"{BUCKET}/input/claims/*", ""),
        ("s3:AbortMultipartUpload", f"{BUCKET}/input/claims/*", ""),
        ("s3:ListMultipartUploadParts", f"{BUCKET}/input/claims/*", ""),
        ("s3:ListBucket", BUCKET, "StringLike s3:prefix input/claims/*"),
    }
    assert {grant for grant in granted if not grant[0].startswith("s3:")} == {
        grant for grant in everywhere if not grant[0].startswith("s3:")
    }
    assert "UploadersPolicyArnOfclaims" in storage["Outputs"]


@pytest.mark.parametrize("name", ["default", "a*", "claims 2026"])
def test_uploaders_of_a_route_are_refused_for_such_a_name(build_template: Build, name: str) -> None:
    with pytest.raises(SettingsError, match=r"routes\..*uploaders: a policy for one route needs"):
        build_template({f"routes.{name}.model": "fraud", f"routes.{name}.uploaders": True})


def test_readers_read_scores_and_the_jobs_table_and_write_nothing(templates: Templates) -> None:
    assert _granted(only(templates.storage, "AWS::IAM::ManagedPolicy", "Readers")) == {
        ("s3:GetObject", f"{BUCKET}/output/*", ""),
        ("s3:ListBucket", BUCKET, "StringLike s3:prefix output/*"),
        ("dynamodb:GetItem", TABLE, ""),
        ("dynamodb:Query", f"{TABLE}/index/by_file", ""),
        ("dynamodb:Query", f"{TABLE}/index/by_status", ""),
        ("kms:Decrypt", DATA_KEY, _through("s3", "dynamodb")),
        ("cloudformation:DescribeStacks", f"{STACKS}/dropscore-dev-storage/*", ""),
    }


def test_operators_may_what_readers_may_and_work_on_this_deployment_of_scoring(templates: Templates) -> None:
    readers = only(templates.storage, "AWS::IAM::ManagedPolicy", "Readers")
    (role,) = [name for name in properties(templates.storage, "AWS::IAM::Role") if "Operators" in name]
    assert readers["Roles"] == [{"Ref": role}]
    granted = _granted(only(templates.scoring, "AWS::IAM::Policy", "Operating"))
    by_action = {action: {resource for found, resource, _ in granted if found == action} for action, *_ in granted}
    names = properties(templates.scoring, "AWS::Lambda::Function")
    functions = {
        f"sample-{name}-Arn"
        for name in names
        if name.startswith(("IntakeSubmit", "TrackingTrack", "AnnouncingAnnounce", "ReconciliationReconcile"))
    }
    assert len(functions) == 4, names
    groups = {f"sample-{name}-Arn" for name in properties(templates.scoring, "AWS::Logs::LogGroup")}
    (queue,) = properties(templates.scoring, "AWS::SQS::Queue")
    assert by_action.pop("lambda:InvokeFunction") == functions
    for action in ("DescribeLogStreams", "FilterLogEvents", "GetLogEvents", "GetQueryResults", "StartQuery"):
        assert by_action.pop(f"logs:{action}") == groups
    for action in ("ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes"):
        assert by_action.pop(f"sqs:{action}") == {f"sample-{queue}-Arn"}
    (key,) = by_action.pop("kms:Decrypt")
    assert "OperationsKey" in key
    assert by_action.pop("cloudformation:DescribeStacks") == {f"{STACKS}/dropscore-dev-scoring/*"}
    (dashboard,) = properties(templates.scoring, "AWS::CloudWatch::Dashboard")
    named = f"arn:sample-AWS::Partition:cloudwatch::sample-AWS::AccountId:dashboard/sample-{dashboard}"
    assert by_action.pop("cloudwatch:GetDashboard") == {named}
    assert by_action.pop("cloudwatch:DescribeAlarms") == {f"arn:sample-AWS::Partition:cloudwatch:{HERE}:alarm:*"}
    assert by_action.pop("batch:TerminateJob") == {f"arn:sample-AWS::Partition:batch:{HERE}:job/*"}
    assert (
        {action for action, resources in by_action.items() if resources == {"*"}}
        == set(by_action)
        == {"batch:DescribeJobs", "cloudwatch:GetMetricData"}
    )


def test_operators_may_end_the_jobs_of_their_own_deployment_only(build_template: Build) -> None:
    granted = _granted(only(build_template({"deploy.env": "prod"}).scoring, "AWS::IAM::Policy", "Operating"))
    (condition,) = [condition for action, _, condition in granted if action == "batch:TerminateJob"]
    assert condition == "StringEquals aws:ResourceTag/dropscore:env prod"


def test_the_operators_role_is_for_whom_the_account_lets_assume_it(templates: Templates) -> None:
    role = only(templates.storage, "AWS::IAM::Role", "Operators")
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert rendered(statement["Principal"]["AWS"]) == "arn:sample-AWS::Partition:iam::sample-AWS::AccountId:root"


def test_scoring_can_go_while_people_hold_their_permissions(templates: Templates) -> None:
    """A managed policy in use cannot be deleted; an inline policy is deleted with its stack."""
    assert not properties(templates.scoring, "AWS::IAM::ManagedPolicy")
    assert "scoring:ExportsOutput" not in str(templates.storage)
    assert not [name for name in templates.scoring["Outputs"] if name.startswith("ExportsOutput")]


@pytest.mark.parametrize("overrides", SETTINGS)
def test_nothing_of_ours_may_touch_iam(build_template: Build, overrides: dict[str, object]) -> None:
    actions = [action for document in _documents(build_template(overrides)) for action in _actions(document)]
    assert len(actions) > 80
    assert not [action for action in actions if action.startswith(("iam:", "organizations:")) or action == "*"]


@pytest.mark.parametrize("overrides", SETTINGS)
def test_each_function_has_a_role_of_its_own(build_template: Build, overrides: dict[str, object]) -> None:
    for template in build_template(overrides).every.values():
        functions = properties(template, "AWS::Lambda::Function")
        roles = [rendered(function["Role"]) for function in functions.values()]
        assert len(set(roles)) == len(roles)


@pytest.mark.parametrize("overrides", SETTINGS)
def test_a_models_container_reaches_no_network(build_template: Build, overrides: dict[str, object]) -> None:
    models = properties(build_template(overrides).hosting, "AWS::SageMaker::Model").values()
    assert models
    assert all(model["EnableNetworkIsolation"] is True and "VpcConfig" not in model for model in models)


def _documents(templates: Templates) -> Iterator[Any]:
    """All policy documents of the templates except those of keys, which grant access to the account itself."""

    def walk(node: Any) -> Iterator[Any]:
        if isinstance(node, list):
            for each in node:
                yield from walk(each)
        elif isinstance(node, dict):
            if "Statement" in node:
                yield node
            for name, each in node.items():
                yield from walk(each) if name != "KeyPolicy" else iter(())

    for path in sorted(templates.outdir.glob("*.template.json")):
        yield from walk(templates._read(path.name.split(".")[0]))


def _actions(document: Json) -> list[str]:
    return [action for each in document["Statement"] for action in listed(each["Action"])]
