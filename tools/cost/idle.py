"""What stands costs, whether or not anything is scored: read from the resources of the templates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from tools.cost.templates import Configuration, Json, Resource

Prices = Mapping[str, Any]

FREE = frozenset(
    {
        "AWS::ApplicationAutoScaling::ScalableTarget",
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        "AWS::Batch::ComputeEnvironment",  # its instances and tasks cost, and there are none while nothing is scored
        "AWS::Batch::JobDefinition",
        "AWS::Batch::JobQueue",
        "AWS::Batch::SchedulingPolicy",
        "AWS::CloudTrail::Trail",  # its data events cost, each
        "AWS::CodeBuild::Project",
        "AWS::DynamoDB::Table",  # on demand: requests, and cents for what lies in it
        "AWS::EC2::FlowLog",
        "AWS::EC2::InternetGateway",
        "AWS::EC2::LaunchTemplate",
        "AWS::EC2::Route",
        "AWS::EC2::RouteTable",
        "AWS::EC2::SecurityGroup",
        "AWS::EC2::SecurityGroupEgress",
        "AWS::EC2::SecurityGroupIngress",
        "AWS::EC2::Subnet",
        "AWS::EC2::SubnetRouteTableAssociation",
        "AWS::EC2::VPC",
        "AWS::EC2::VPCGatewayAttachment",
        "AWS::ECR::Repository",  # cents for what lies in it, as for the buckets
        "AWS::IAM::InstanceProfile",
        "AWS::IAM::ManagedPolicy",
        "AWS::IAM::Policy",
        "AWS::IAM::Role",
        "AWS::KMS::Alias",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::Function",
        "AWS::Lambda::Permission",
        "AWS::Logs::LogGroup",
        "AWS::Logs::MetricFilter",
        "AWS::S3::Bucket",
        "AWS::S3::BucketPolicy",
        "AWS::SNS::Subscription",
        "AWS::SNS::Topic",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::Queue",
        "AWS::SQS::QueuePolicy",
        "AWS::SageMaker::Endpoint",  # what its configuration says stands
        "AWS::SageMaker::InferenceComponent",
        "AWS::SageMaker::Model",
        "Custom::ImageBuild",
    }
)
"""Nothing an hour."""


class UnknownPriceError(Exception):
    """The message says which price or type is missing, and where to add it."""


def idle(configuration: Configuration, prices: Prices) -> dict[str, float]:
    """US dollars a month, by what they are for; the dearest first."""
    lines: Counter[str] = Counter()
    for resource in configuration.resources:
        if resource.type in FREE:
            continue
        if resource.type not in COSTS:
            raise UnknownPriceError(f"{resource.name} is an {resource.type}: say in tools/cost/idle.py what one costs")
        what, dollars = COSTS[resource.type](resource, prices)
        lines[what] += dollars  # type: ignore[assignment]  # a Counter of floats
    return {what: dollars for what, dollars in lines.most_common() if dollars}


def _month(prices: Prices, dollars_an_hour: float) -> float:
    return float(dollars_an_hour * prices["assumed"]["hours_a_month"])


def _vpc_endpoint(resource: Resource, prices: Prices) -> tuple[str, float]:
    zones = len(resource.properties["SubnetIds"]) if resource.properties["VpcEndpointType"] == "Interface" else 0
    return "VPC interface endpoints", _month(prices, prices["hour"]["interface_endpoint_per_zone"] * zones)


def _nat_gateway(_resource: Resource, prices: Prices) -> tuple[str, float]:
    return "NAT gateways", _month(prices, prices["hour"]["nat_gateway"])


def _address(_resource: Resource, prices: Prices) -> tuple[str, float]:
    return "public addresses", _month(prices, prices["hour"]["public_ipv4"])


def _endpoint(resource: Resource, prices: Prices) -> tuple[str, float]:
    hourly = sum(_variant(each, prices["hour"]["endpoint"]) for each in resource.properties["ProductionVariants"])
    return "endpoints' instances", _month(prices, hourly)


def _variant(variant: Json, by_type: Mapping[str, float]) -> float:
    """US dollars an hour while nothing is scored: nothing where it is serverless or scales down to nothing."""
    if "ServerlessConfig" in variant:
        return 0.0
    if variant["InstanceType"] not in by_type:
        raise UnknownPriceError(f"{variant['InstanceType']} is not in tools/cost/prices.toml, [hour.endpoint]")
    scaled = variant.get("ManagedInstanceScaling", {})
    return by_type[variant["InstanceType"]] * int(scaled.get("MinInstanceCount", variant["InitialInstanceCount"]))


def _alarm(resource: Resource, prices: Prices) -> tuple[str, float]:
    """An alarm on an expression costs as much as one on each of its metrics."""
    metrics = [each for each in resource.properties.get("Metrics", []) if "MetricStat" in each]
    return "alarms", float(prices["month"]["alarm"] * max(1, len(metrics)))


def _rule(resource: Resource, prices: Prices) -> tuple[str, float]:
    """What runs by the clock measures by the clock, whether or not there is something to measure."""
    metrics = prices["assumed"]["metrics_by_the_clock"] if "ScheduleExpression" in resource.properties else 0
    return "metrics of `reconcile`", float(metrics * prices["month"]["metric"])


def _monthly(what: str, price: str) -> Callable[[Resource, Prices], tuple[str, float]]:
    return lambda _resource, prices: (what, float(prices["month"][price]))


COSTS: dict[str, Callable[[Resource, Prices], tuple[str, float]]] = {
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CloudWatch::Dashboard": _monthly("dashboard", "dashboard"),
    "AWS::EC2::EIP": _address,
    "AWS::EC2::NatGateway": _nat_gateway,
    "AWS::EC2::VPCEndpoint": _vpc_endpoint,
    "AWS::Events::Rule": _rule,
    "AWS::KMS::Key": _monthly("keys", "kms_key"),
    "AWS::SageMaker::EndpointConfig": _endpoint,
}
