"""The checks that only an account can give, with real clients whose questions are checked against AWS's models."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from tools.manifests import TYPES
from tools.smoke.account import Account
from tools.smoke.run import UnmetError

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "manifests"
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/mine:1"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
NAME = "dropscore-prod-fraud"
OURS = {"kmsKeyId": "arn:aws:kms:eu-west-1:123456789012:key/1", "retentionInDays": 90}


class Session:
    """A boto3.Session whose clients answer what a test has recorded."""

    def __init__(self) -> None:
        keys = {"region_name": "eu-west-1", "aws_access_key_id": "none", "aws_secret_access_key": "none"}
        names = ("cloudformation", "sagemaker", "ecr", "logs", "ec2")
        self.stubs = {name: Stubber(boto3.client(name, **keys)) for name in names}  # type: ignore[call-overload]
        for stub in self.stubs.values():
            stub.activate()

    def client(self, name: str) -> Any:
        return self.stubs[name].client

    def answers(self, service: str, operation: str, answer: object, **asked: object) -> None:
        self.stubs[service].add_response(operation, answer, asked)  # type: ignore[arg-type]


@pytest.fixture
def session() -> Session:
    return Session()


def hosting(session: Session) -> None:
    outputs = [{"OutputKey": "EndpointNameFraud", "OutputValue": NAME}, {"OutputKey": "Other", "OutputValue": "x"}]
    stack = {"StackName": "s", "CreationTime": NOW, "StackStatus": "CREATE_COMPLETE", "Outputs": outputs}
    session.answers("cloudformation", "describe_stacks", {"Stacks": [stack]}, StackName="dropscore-prod-hosting")


def endpoint(session: Session, status: str = "InService", **variant: object) -> None:
    described = {
        "EndpointName": NAME,
        "EndpointArn": f"arn:aws:sagemaker:eu-west-1:123456789012:endpoint/{NAME}",
        "EndpointStatus": status,
        "CreationTime": NOW,
        "LastModifiedTime": NOW,
        "ProductionVariants": [{"VariantName": "AllTraffic", **variant}],
    }
    session.answers("sagemaker", "describe_endpoint", described, EndpointName=NAME)


def registry(session: Session, recorded: str) -> None:
    answer = json.loads((FIXTURES / f"{recorded}.json").read_text())
    asked = {"registryId": "123456789012", "repositoryName": "team/mine", "imageIds": [{"imageTag": "1"}]}
    session.answers("ecr", "batch_get_image", answer, **asked, acceptedMediaTypes=TYPES)


def test_a_model_in_service_from_a_docker_manifest_passes(session: Session) -> None:
    hosting(session)
    endpoint(session, DeployedImages=[{"SpecifiedImage": IMAGE}])
    registry(session, "docker_schema_2")
    Account(session, "prod").models_serve()


def test_a_component_names_the_image_of_its_copies(session: Session) -> None:
    hosting(session)
    endpoint(session)
    component = {
        "InferenceComponentName": NAME,
        "InferenceComponentArn": f"arn:aws:sagemaker:eu-west-1:123456789012:inference-component/{NAME}",
        "EndpointName": NAME,
        "EndpointArn": f"arn:aws:sagemaker:eu-west-1:123456789012:endpoint/{NAME}",
        "CreationTime": NOW,
        "LastModifiedTime": NOW,
        "Specification": {"Container": {"DeployedImage": {"SpecifiedImage": IMAGE}}},
    }
    session.answers("sagemaker", "describe_inference_component", component, InferenceComponentName=NAME)
    registry(session, "oci_image")
    with pytest.raises(UnmetError, match=r"is application/vnd\.oci\.image\.manifest"):
        Account(session, "prod").models_serve()


def test_an_endpoint_out_of_service_is_named(session: Session) -> None:
    hosting(session)
    endpoint(session, status="Failed")
    with pytest.raises(UnmetError, match=f"endpoint {NAME} is Failed"):
        Account(session, "prod").models_serve()


@pytest.mark.parametrize("lacking", [[], ["kmsKeyId"], ["retentionInDays"]])
def test_a_log_group_that_sagemaker_made_is_named(session: Session, lacking: list[str]) -> None:
    theirs = {key: value for key, value in OURS.items() if key not in lacking}
    name = f"/aws/sagemaker/InferenceComponents/{NAME}"
    for kind, found in (("Endpoints", OURS), ("InferenceComponents", theirs)):
        prefix = f"/aws/sagemaker/{kind}/dropscore-prod-"
        groups = {"logGroups": [{"logGroupName": f"/aws/sagemaker/{kind}/{NAME}", **found}]}
        session.answers("logs", "describe_log_groups", groups, logGroupNamePrefix=prefix)
    if lacking:
        with pytest.raises(UnmetError, match=f"delete-log-group --log-group-name {name}"):
            Account(session, "prod").logs_are_ours()
    else:
        Account(session, "prod").logs_are_ours()


@pytest.mark.parametrize(
    ("state", "subnets", "wrong"),
    [
        ("available", ["subnet-a", "subnet-b"], None),
        ("available", ["subnet-a"], "is not in every zone"),
        ("pending", ["subnet-a", "subnet-b"], "is pending"),
    ],
)
def test_an_endpoint_that_lacks_a_zone_is_named(
    session: Session, state: str, subnets: list[str], wrong: str | None
) -> None:
    made = {
        "VpcPrivateSubnet1Subnet1": ("AWS::EC2::Subnet", "subnet-a"),
        "VpcPrivateSubnet3Subnet1": ("AWS::EC2::Subnet", "subnet-b"),
        "VpcPrivateSubnet3RouteTable1": ("AWS::EC2::RouteTable", "rtb-1"),
        "VpcPublicSubnet1Subnet1": ("AWS::EC2::Subnet", "subnet-p"),
        "VpcEcrApi": ("AWS::EC2::VPCEndpoint", "vpce-1"),
    }
    status = {"LastUpdatedTimestamp": NOW, "ResourceStatus": "CREATE_COMPLETE"}
    found = [
        {"LogicalResourceId": logical, "ResourceType": kind, "PhysicalResourceId": physical, **status}
        for logical, (kind, physical) in made.items()
    ]
    stack = "dropscore-prod-scoring"
    session.answers("cloudformation", "list_stack_resources", {"StackResourceSummaries": found}, StackName=stack)
    door = {"ServiceName": "ecr.api", "State": state, "VpcEndpointType": "Interface", "SubnetIds": subnets}
    session.answers("ec2", "describe_vpc_endpoints", {"VpcEndpoints": [door]}, VpcEndpointIds=["vpce-1"])
    if wrong:
        with pytest.raises(UnmetError, match=f"ecr.api {wrong}"):
            Account(session, "prod").vpc_endpoints_are_in_every_zone()
    else:
        Account(session, "prod").vpc_endpoints_are_in_every_zone()
