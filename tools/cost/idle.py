"""The monthly cost of the deployed resources while nothing is scored, computed from the templates."""

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
        "AWS::Batch::ComputeEnvironment",  # charges for instances and tasks; there are none while idle
        "AWS::Batch::JobDefinition",
        "AWS::Batch::JobQueue",
        "AWS::Batch::SchedulingPolicy",
        "AWS::CloudTrail::Trail",  # charges per data event
        "AWS::CodeBuild::Project",
        "AWS::DynamoDB::Table",  # on demand: charges for requests, and cents for storage
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
        "AWS::ECR::Repository",  # cents for storage, as for buckets
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
        "AWS::SageMaker::Endpoint",  # charged by its configuration
        "AWS::SageMaker::InferenceComponent",
        "AWS::SageMaker::Model",
        "Custom::ImageBuild",
    }
)
"""Resource types without an hourly charge."""


class UnknownPriceError(Exception):
    """A price or resource type is missing; the message says where to add it."""


def idle(configuration: Configuration, prices: Prices) -> dict[str, float]:
    """US dollars per month by purpose, the most expensive first. Raises UnknownPriceError."""
    lines: Counter[str] = Counter()
    for resource in configuration.resources:
        if resource.type in FREE:
            continue
        if resource.type not in COSTS:
            raise UnknownPriceError(f"{resource.name}: no price for {resource.type}; add it to tools/cost/idle.py")
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
    hourly = sum(_variant(variant, prices["hour"]["endpoint"]) for variant in resource.properties["ProductionVariants"])
    return "endpoints' instances", _month(prices, hourly)


def _variant(variant: Json, by_type: Mapping[str, float]) -> float:
    """US dollars per idle hour: 0 if the variant is serverless or scales to zero."""
    if "ServerlessConfig" in variant:
        return 0.0
    if variant["InstanceType"] not in by_type:
        raise UnknownPriceError(f"{variant['InstanceType']} is not in tools/cost/prices.toml, [hour.endpoint]")
    scaled = variant.get("ManagedInstanceScaling", {})
    return by_type[variant["InstanceType"]] * int(scaled.get("MinInstanceCount", variant["InitialInstanceCount"]))


def _alarm(resource: Resource, prices: Prices) -> tuple[str, float]:
    """An alarm on an expression costs as much as one on each of its metrics."""
    metrics = [entry for entry in resource.properties.get("Metrics", []) if "MetricStat" in entry]
    return "alarms", float(prices["month"]["alarm"] * max(1, len(metrics)))


def _rule(resource: Resource, prices: Prices) -> tuple[str, float]:
    """A scheduled function publishes its metrics in every run, even when idle."""
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
