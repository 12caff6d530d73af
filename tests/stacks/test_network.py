from __future__ import annotations

from tests.stacks.building import Templates, only, properties, rendered
from tests.stacks.conftest import Build
from tests.stacks.test_hosting import TWO_MODELS


def test_there_is_no_way_to_or_from_the_internet(templates: Templates) -> None:
    types = {each["Type"] for each in templates.scoring["Resources"].values()}
    assert types.isdisjoint({"AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::EIP", "AWS::EC2::Route"})
    subnets = properties(templates.scoring, "AWS::EC2::Subnet").values()
    assert {subnet["MapPublicIpOnLaunch"] for subnet in subnets} == {False}


def test_there_is_a_subnet_in_each_zone(templates: Templates, build_template: Build) -> None:
    assert len(properties(templates.scoring, "AWS::EC2::Subnet")) == 2
    three = properties(build_template(TWO_MODELS).scoring, "AWS::EC2::Subnet").values()
    assert [subnet["AvailabilityZone"] for subnet in three] == [
        {"Fn::Select": [index, {"Fn::GetAZs": ""}]} for index in range(3)
    ]


def test_the_doors_are_those_that_a_worker_needs_and_no_other(templates: Templates) -> None:
    doors = [
        (door["VpcEndpointType"], rendered(door["ServiceName"]).split("sample-AWS::Region.")[1])
        for door in properties(templates.scoring, "AWS::EC2::VPCEndpoint").values()
    ]
    assert sorted(doors) == [
        ("Gateway", "dynamodb"),
        ("Gateway", "s3"),
        ("Interface", "ecr.api"),
        ("Interface", "ecr.dkr"),
        ("Interface", "logs"),
        ("Interface", "sagemaker.runtime"),
    ]


def test_the_doors_open_to_https_from_within_only(templates: Templates) -> None:
    doors = only(templates.scoring, "AWS::EC2::SecurityGroup", "Doors")
    (rule,) = doors["SecurityGroupIngress"]
    assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("tcp", 443, 443)
    assert rule["CidrIp"] == only(templates.scoring, "AWS::EC2::VPC")["CidrBlock"]


def test_nothing_reaches_a_worker_and_it_speaks_https_only(templates: Templates) -> None:
    workers = only(templates.scoring, "AWS::EC2::SecurityGroup", "Workers")
    assert "SecurityGroupIngress" not in workers
    (rule,) = workers["SecurityGroupEgress"]
    assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("tcp", 443, 443)


def test_flows_are_recorded(templates: Templates) -> None:
    assert only(templates.scoring, "AWS::EC2::FlowLog")["TrafficType"] == "ALL"
