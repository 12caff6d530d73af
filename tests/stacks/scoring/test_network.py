from __future__ import annotations

import pytest

from tests.stacks.building import Json, Templates, only, properties, rendered
from tests.stacks.conftest import Build
from tests.stacks.hosting.test_hosting import TWO_MODELS

NAT = {"network.mode": "nat"}
SUBNET = "AWS::EC2::Subnet"
WAYS_OUT = {"AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::EIP", "AWS::EC2::Route"}


def names(zone_letters: str) -> dict[str, object]:
    return {"network.max_azs": None, "network.zones": [f"eu-west-1{letter}" for letter in zone_letters]}


def ids(*numbers: int) -> dict[str, object]:
    return {"network.max_azs": None, "network.zones": [f"euw1-az{number}" for number in numbers]}


def test_there_is_no_way_to_or_from_the_internet(templates: Templates) -> None:
    types = {each["Type"] for each in templates.scoring["Resources"].values()}
    assert types.isdisjoint(WAYS_OUT)
    subnets = properties(templates.scoring, "AWS::EC2::Subnet").values()
    assert {subnet["MapPublicIpOnLaunch"] for subnet in subnets} == {False}


def test_there_is_a_subnet_in_each_zone(templates: Templates, build_template: Build) -> None:
    assert len(properties(templates.scoring, "AWS::EC2::Subnet")) == 2
    three = properties(build_template(TWO_MODELS).scoring, "AWS::EC2::Subnet").values()
    assert [subnet["AvailabilityZone"] for subnet in three] == [
        {"Fn::Select": [index, {"Fn::GetAZs": ""}]} for index in range(3)
    ]


@pytest.mark.parametrize("settings", [{}, NAT, {"worker.compute": "ec2"}], ids=["fargate", "nat", "ec2"])
def test_subnets_lie_in_the_zones_that_are_named(build_template: Build, settings: dict[str, object]) -> None:
    template = build_template({**settings, **names("ca")}).scoring
    private = _zones(template, "Private", "AvailabilityZone")
    assert private == {"10.0.0.0/19": "eu-west-1a", "10.0.64.0/19": "eu-west-1c"}
    assert _zones(template, "Public", "AvailabilityZone") == (
        {"10.0.192.0/28": "eu-west-1a"} if settings == NAT else {}
    )


@pytest.mark.parametrize("settings", [{}, NAT], ids=["endpoints", "nat"])
def test_subnets_lie_in_zones_named_by_id(build_template: Build, settings: dict[str, object]) -> None:
    template = build_template({**settings, **ids(3, 1)}).scoring
    private = _zones(template, "Private", "AvailabilityZoneId")
    assert private == {"10.0.0.0/19": "euw1-az1", "10.0.64.0/19": "euw1-az3"}
    assert "AvailabilityZone" not in {key for each in properties(template, SUBNET).values() for key in each}


@pytest.mark.parametrize("zones", [names("ac"), ids(1, 3)], ids=["names", "ids"])
@pytest.mark.parametrize("compute", ["fargate", "ec2"])
def test_pools_and_endpoints_are_in_every_named_zone(
    build_template: Build, zones: dict[str, object], compute: str
) -> None:
    template = build_template({**zones, "worker.compute": compute}).scoring
    subnets = set(properties(template, SUBNET))
    pools = properties(template, "AWS::Batch::ComputeEnvironment").values()
    endpoints = properties(template, "AWS::EC2::VPCEndpoint").values()
    used = [pool["ComputeResources"]["Subnets"] for pool in pools]
    used += [endpoint["SubnetIds"] for endpoint in endpoints if endpoint["VpcEndpointType"] == "Interface"]
    assert len(subnets) == 2
    assert len(used) >= 2 + 4
    assert all({each["Ref"] for each in subnet_ids} == subnets for subnet_ids in used)


def test_one_nat_gateway_leads_out_and_nothing_gets_a_public_address(build_template: Build) -> None:
    template = build_template(NAT).scoring
    gateway = only(template, "AWS::EC2::NatGateway")
    assert "Public" in gateway["SubnetId"]["Ref"]
    subnets = properties(template, "AWS::EC2::Subnet")
    assert {subnet["MapPublicIpOnLaunch"] for subnet in subnets.values()} == {False}
    out = [route for name, route in properties(template, "AWS::EC2::Route").items() if "Private" in name]
    assert len(out) == 2
    assert all("NatGatewayId" in route for route in out)


def test_workers_run_in_private_subnets_only(build_template: Build) -> None:
    for settings in (NAT, {**NAT, "worker.compute": "ec2"}):
        template = build_template(settings).scoring
        for pool in properties(template, "AWS::Batch::ComputeEnvironment").values():
            assert all("Private" in subnet["Ref"] for subnet in pool["ComputeResources"]["Subnets"])


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({}, {"network.max_azs": 4}),
        ({}, NAT),
        (NAT, {**NAT, "network.max_azs": 6}),
        ({"network.max_azs": 1}, NAT),
        ({}, names("ab")),
        (names("b"), names("abd")),
        (names("cd"), {**names("acd")}),
        (ids(2, 4), ids(1, 2, 4, 6)),
        (names("bc"), {**NAT, **names("bc")}),
    ],
)
def test_no_setting_moves_a_subnet_that_is_there(
    build_template: Build, first: dict[str, object], then: dict[str, object]
) -> None:
    """CloudFormation creates the new subnet before it deletes the old one, and two cannot have the same addresses."""
    before, after = (_ranges(build_template(each).scoring) for each in (first, then))
    assert before == {name: after[name] for name in before}
    assert len(set(after.values())) == len(after)


def test_nothing_reaches_a_worker_and_it_speaks_https_only(templates: Templates) -> None:
    workers = only(templates.scoring, "AWS::EC2::SecurityGroup", "Workers")
    assert "SecurityGroupIngress" not in workers
    (rule,) = workers["SecurityGroupEgress"]
    assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("tcp", 443, 443)


def test_flows_are_recorded_for_as_long_as_logs_are_kept(build_template: Build) -> None:
    template = build_template({"monitoring.log_days": 30}).scoring
    flow_log = only(template, "AWS::EC2::FlowLog")
    assert flow_log["TrafficType"] == "ALL"
    group = properties(template, "AWS::Logs::LogGroup")[flow_log["LogGroupName"]["Ref"]]
    assert group["RetentionInDays"] == 30
    assert "OperationsKey" in rendered(group["KmsKeyId"])


def test_only_this_accounts_flow_logs_take_the_role_and_it_may_write_and_no_more(templates: Templates) -> None:
    trust = only(templates.scoring, "AWS::IAM::Role", "FlowLogRole")["AssumeRolePolicyDocument"]["Statement"][0]
    assert trust["Principal"] == {"Service": "vpc-flow-logs.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    policy = only(templates.scoring, "AWS::IAM::Policy", "FlowLogRole")["PolicyDocument"]["Statement"]
    assert [statement["Action"] for statement in policy] == [
        ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    ]


def test_flow_logs_can_be_left_out(build_template: Build) -> None:
    template = build_template({"network.flow_logs": False}).scoring
    assert not properties(template, "AWS::EC2::FlowLog")
    assert not [name for name in template["Resources"] if "FlowLog" in name]


def _ranges(template: Json) -> dict[str, str]:
    return {name: subnet["CidrBlock"] for name, subnet in properties(template, "AWS::EC2::Subnet").items()}


def _zones(template: Json, kind: str, key: str) -> dict[str, str]:
    subnets = properties(template, SUBNET).items()
    return {subnet["CidrBlock"]: subnet[key] for name, subnet in subnets if f"{kind}Subnet" in name}
