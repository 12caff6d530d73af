"""The VPC endpoints: which exist, who may connect, and what each allows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.stacks.building import Json, Templates, listed, only, properties, rendered
from tests.stacks.conftest import Build
from tests.stacks.hosting.test_hosting import TWO_MODELS

EC2 = {"worker.compute": "ec2"}
NAT = {"network.mode": "nat"}
GATEWAYS = [("Gateway", "dynamodb"), ("Gateway", "s3")]
FARGATE = [("Interface", name) for name in ("ecr.api", "ecr.dkr", "logs", "sagemaker.runtime")]
INSTANCES = [("Interface", name) for name in ("ecs", "ecs-agent", "ecs-telemetry")]
WITHOUT_POLICY = {"ecs-agent", "ecs-telemetry"}
OURS = {"StringEquals": {"aws:PrincipalAccount": {"Ref": "AWS::AccountId"}}}
PULL = {"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, GATEWAYS + FARGATE),
        (EC2, GATEWAYS + FARGATE + INSTANCES),
        (NAT, GATEWAYS),
        ({**EC2, **NAT}, GATEWAYS),
    ],
)
def test_the_doors_are_those_that_a_worker_needs_and_no_other(
    build_template: Build, settings: dict[str, object], expected: list[tuple[str, str]]
) -> None:
    endpoints = _endpoints(build_template(settings).scoring)
    assert sorted((endpoint["VpcEndpointType"], name) for name, endpoint in endpoints.items()) == sorted(expected)


def test_the_doors_open_to_https_from_workers_only(templates: Templates) -> None:
    group = only(templates.scoring, "AWS::EC2::SecurityGroup", "Doors")
    (rule,) = group["SecurityGroupIngress"]
    assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("tcp", 443, 443)
    assert "Workers" in rule["SourceSecurityGroupId"]["Fn::GetAtt"][0]
    for name, endpoint in _endpoints(templates.scoring).items():
        if endpoint["VpcEndpointType"] == "Interface":
            assert [each["Fn::GetAtt"][0] for each in endpoint["SecurityGroupIds"]] == [
                _named(templates.scoring, "Doors")
            ]
            assert endpoint["PrivateDnsEnabled"] is True, name


@pytest.mark.parametrize("settings", [{}, EC2, NAT, {**EC2, **NAT}])
def test_every_door_has_a_policy_for_principals_of_this_account_and_named_resources(
    build_template: Build, settings: dict[str, object]
) -> None:
    for name, endpoint in _endpoints(build_template(settings).scoring).items():
        if name in WITHOUT_POLICY:
            assert "PolicyDocument" not in endpoint
            continue
        for statement in endpoint["PolicyDocument"]["Statement"]:
            actions = set(listed(statement["Action"]))
            is_layer = "starport" in rendered(listed(statement["Resource"])[0])
            assert (statement["Effect"], statement["Principal"]) == ("Allow", "*")
            assert statement.get("Condition") == (None if is_layer else OURS), name
            assert not [action for action in actions if "*" in action]
            if "*" in listed(statement["Resource"]):
                assert actions <= {"ecr:GetAuthorizationToken", "ecs:DiscoverPollEndpoint"}


def test_s3_is_open_for_our_prefixes_and_the_layers_of_images(templates: Templates) -> None:
    allowed = _allowed(templates.scoring, "s3")
    (bucket,) = [name for name, actions in allowed.items() if actions == {"s3:ListBucket"}]
    written = {"s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"}
    assert "Bucket" in bucket
    assert allowed == {
        bucket: {"s3:ListBucket"},
        f"{bucket}/input/*": {"s3:GetObjectVersion"},
        f"{bucket}/parts/*": written,
        f"{bucket}/output/*": written,
        "arn:sample-AWS::Partition:s3:::prod-sample-AWS::Region-starport-layer-bucket/*": {"s3:GetObject"},
    }


def test_each_other_door_is_open_for_what_is_ours(build_template: Build) -> None:
    template = build_template(TWO_MODELS).scoring
    ((table, actions),) = _allowed(template, "dynamodb").items()
    assert ("Jobs" in table, actions) == (True, {"dynamodb:GetItem", "dynamodb:UpdateItem"})
    models = _allowed(template, "sagemaker.runtime")
    assert [len(models), set.union(*models.values())] == [2, {"sagemaker:InvokeEndpoint"}]
    ((logs, actions),) = _allowed(template, "logs").items()
    assert (logs, actions) == (
        f"sample-{_named(template, 'WorkerLogs')}-Arn",
        {"logs:CreateLogStream", "logs:PutLogEvents"},
    )
    for name in ("ecr.api", "ecr.dkr"):
        allowed = _allowed(template, name)
        (repository,) = allowed.keys() - {"*"}
        assert allowed == {"*": {"ecr:GetAuthorizationToken"}, repository: PULL}


@pytest.mark.parametrize("settings", [{}, EC2])
def test_the_doors_let_through_whatever_the_worker_may_do(build_template: Build, settings: dict[str, object]) -> None:
    """A permission of the worker's roles that an endpoint does not allow would fail only in the account."""
    template = build_template(settings).scoring
    passing = {
        (action, resource)
        for name in _endpoints(template)
        for resource, actions in _allowed(template, name).items()
        for action in actions
    }
    for role in ("WorkerRole", "WorkerExecutionRole", *(["FleetRole"] if settings else [])):
        statements = only(template, "AWS::IAM::Policy", role)["PolicyDocument"]["Statement"]
        needed = {
            (action, rendered(resource))
            for statement in statements
            for action in listed(statement["Action"])
            for resource in listed(statement["Resource"])
            if not action.startswith("kms:")  # S3 and DynamoDB call KMS themselves
        }
        without_policy = {"ecs:Poll", "ecs:StartTelemetrySession"}
        assert {each for each in needed - passing if each[0] not in without_policy} == set()


def _endpoints(template: Json) -> dict[str, Json]:
    """By the service's name without the region."""
    endpoints = properties(template, "AWS::EC2::VPCEndpoint").values()
    return {rendered(endpoint["ServiceName"]).split("sample-AWS::Region.")[1]: endpoint for endpoint in endpoints}


def _allowed(template: Json, name: str) -> dict[str, set[str]]:
    allowed: dict[str, set[str]] = {}
    document: dict[str, Any] = _endpoints(template)[name].get("PolicyDocument", {"Statement": []})
    for statement in document["Statement"]:
        for resource in listed(statement["Resource"]):
            allowed.setdefault(rendered(resource), set()).update(listed(statement["Action"]))
    return allowed


def _named(template: Json, containing: str) -> str:
    found = [name for name in template["Resources"] if containing in name and "Role" not in name]
    return next(str(name) for name in found if template["Resources"][name]["Type"].endswith("Group"))
