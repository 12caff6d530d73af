"""The instances: how they launch, and their few permissions."""

from __future__ import annotations

import email
import re
from typing import Any

import pytest

from stacks.scoring.fleet import WORKER_USER
from tests.stacks.building import ROOT, Json, listed, only, properties, rendered
from tests.stacks.conftest import Build


@pytest.fixture(scope="module")
def template(build_template: Build) -> Json:
    return build_template({"worker.compute": "ec2"}).scoring


def test_metadata_is_asked_by_token_and_from_the_instance_itself_only(template: Json) -> None:
    options = only(template, "AWS::EC2::LaunchTemplate")["LaunchTemplateData"]["MetadataOptions"]
    assert options == {"HttpEndpoint": "enabled", "HttpTokens": "required", "HttpPutResponseHopLimit": 1}


def test_a_job_cannot_ask_for_the_instances_credentials(template: Json) -> None:
    """Jobs share the host's network, so the hop limit alone does not block them."""
    whole, part = email.message_from_string(_user_data(template)).walk()
    assert whole.is_multipart()  # Batch adds its own part and removes nothing
    assert part.get_content_type() == "text/cloud-boothook"  # runs before the agent, at every boot
    rules = [line for line in str(part.get_payload()).splitlines() if line.startswith("iptables")]
    assert rules == [f"iptables -I OUTPUT -d 169.254.169.254 -m owner --uid-owner {WORKER_USER} -j REJECT"]
    container = only(template, "AWS::Batch::JobDefinition")["ContainerProperties"]
    assert container["User"].split(":")[0] == str(WORKER_USER)
    assert re.search(rf"^USER {WORKER_USER}:", (ROOT / "containers/worker/Dockerfile").read_text(), re.MULTILINE)


def test_the_volume_is_encrypted_and_as_large_as_the_machine_image_has_it(template: Json) -> None:
    (disk,) = only(template, "AWS::EC2::LaunchTemplate")["LaunchTemplateData"]["BlockDeviceMappings"]
    assert disk == {"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True, "VolumeType": "gp3"}}


def test_instances_and_volumes_carry_our_tags_and_are_watched(template: Json) -> None:
    data = only(template, "AWS::EC2::LaunchTemplate")["LaunchTemplateData"]
    tagged = {each["ResourceType"]: each["Tags"] for each in data["TagSpecifications"]}
    assert tagged.keys() == {"instance", "volume"}
    assert all({"Key": "dropscore:env", "Value": "dev"} in tags for tags in tagged.values())
    assert data["Monitoring"] == {"Enabled": True}


def test_nothing_of_the_launch_gives_a_public_address_or_a_way_in(template: Json) -> None:
    data = only(template, "AWS::EC2::LaunchTemplate")["LaunchTemplateData"]
    assert {"NetworkInterfaces", "KeyName", "SecurityGroupIds", "ImageId"}.isdisjoint(data)
    subnets = properties(template, "AWS::EC2::Subnet").values()
    assert {subnet["MapPublicIpOnLaunch"] for subnet in subnets} == {False}


def test_an_instance_may_serve_its_own_clusters_and_nothing_else(template: Json) -> None:
    allowed: dict[str, set[str]] = {}
    for statement in only(template, "AWS::IAM::Policy", "FleetRole")["PolicyDocument"]["Statement"]:
        for resource in listed(statement["Resource"]):
            allowed.setdefault(_deployed(resource), set()).update(listed(statement["Action"]))
    here = "arn:sample-AWS::Partition:ecs:sample-AWS::Region:sample-AWS::AccountId"
    join = {"ecs:DeregisterContainerInstance", "ecs:RegisterContainerInstance", "ecs:SubmitAttachmentStateChanges"}
    join |= {"ecs:SubmitContainerStateChange", "ecs:SubmitTaskStateChange"}
    work = {"ecs:Poll", "ecs:StartTelemetrySession", "ecs:TagResource", "ecs:UpdateContainerInstancesState"}
    expected = {"*": {"ecs:DiscoverPollEndpoint"}}
    for pool in map(_name, properties(template, "AWS::Batch::ComputeEnvironment")):
        expected[f"{here}:cluster/AWSBatch-{pool}-*"] = join
        expected[f"{here}:container-instance/AWSBatch-{pool}-*/*"] = work
    assert allowed == expected
    role = only(template, "AWS::IAM::Role", "FleetRole")
    assert "ManagedPolicyArns" not in role
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": "ec2.amazonaws.com"}


def test_images_are_pulled_and_logs_written_under_the_jobs_execution_role(template: Json) -> None:
    """Otherwise every job on the instance could use the instance's credentials for both."""
    assert "ECS_ENABLE_AWSLOGS_EXECUTIONROLE_OVERRIDE=true >> /etc/ecs/ecs.config" in _user_data(template)
    actions = str(only(template, "AWS::IAM::Policy", "FleetRole"))
    assert "ecr:" not in actions
    assert "logs:" not in actions
    assert "ExecutionRoleArn" in only(template, "AWS::Batch::JobDefinition")["ContainerProperties"]


def test_the_door_of_ecs_lets_the_agent_to_the_same_clusters(build_template: Build) -> None:
    template = build_template({"worker.compute": "ec2", "network.mode": "endpoints"}).scoring
    endpoints = properties(template, "AWS::EC2::VPCEndpoint").values()
    (endpoint,) = [each for each in endpoints if rendered(each["ServiceName"]).endswith(".ecs")]
    role = only(template, "AWS::IAM::Policy", "FleetRole")
    through, granted = (
        {_deployed(resource) for each in holder["PolicyDocument"]["Statement"] for resource in listed(each["Resource"])}
        for holder in (endpoint, role)
    )
    assert through == granted


def _name(pool: str) -> str:
    """CloudFormation's name of a pool, which is not the whole logical id."""
    return f"{pool[:24]}-FgPkH7AlQz6YeGud"


def _deployed(resource: Any) -> str:
    """An ARN after the pools are created."""
    match resource:
        case {"Fn::Join": ["", parts]}:
            return "".join(_deployed(part) for part in parts)
        case {"Fn::Select": [1, {"Fn::Split": ["/", {"Fn::GetAtt": [pool, "ComputeEnvironmentArn"]}]}]}:
            return _name(pool)
    return rendered(resource)


def _user_data(template: Json) -> str:
    data: str = only(template, "AWS::EC2::LaunchTemplate")["LaunchTemplateData"]["UserData"]["Fn::Base64"]
    return data
