"""The deployed Batch and SageMaker resources, parsed from their CloudFormation properties."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dropscore.errors import ConfigurationError
from local.shim.batch.retry import RetryStrategy, Rule


@dataclass(frozen=True, kw_only=True)
class JobDefinition:
    arn: str
    name: str
    image: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    job_role_arn: str | None
    parameters: Mapping[str, str]
    retry: RetryStrategy
    timeout_seconds: int | None
    scheduling_priority: int


@dataclass(frozen=True, kw_only=True)
class Queue:
    arn: str
    has_shares: bool
    """Whether the queue has a scheduling policy: then each job names its share, and priorities apply."""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    arn: str
    name: str
    variant: str
    image: str
    artifact_url: str | None
    environment: Mapping[str, str]
    role_arn: str
    component: Component | None = None
    concurrency: int | None = None
    """The maximum number of simultaneous requests to a serverless endpoint; None for other endpoints."""


@dataclass(frozen=True)
class Component:
    """An inference component: a model as copies that scale on the instances of an endpoint."""

    arn: str
    name: str
    min_copies: int
    """The number of copies that it scales down to."""


@dataclass(frozen=True)
class Resources:
    queues: Mapping[str, Queue]  # name → queue
    definitions: Mapping[str, JobDefinition]  # name → definition
    endpoints: Mapping[str, Endpoint]  # name → endpoint


@dataclass(frozen=True, kw_only=True)
class ShimSettings:
    """The file that the deployer writes and `python -m local.shim` reads."""

    emulator_url: str
    root: Mapping[str, str]
    state: Path
    resources: list[dict[str, Any]]
    images: Mapping[str, Mapping[str, str]]  # tag → {"context", "dockerfile", "interpreter"}
    max_payload_bytes: int

    @classmethod
    def read(cls, path: Path) -> ShimSettings:
        values = json.loads(path.read_text())
        return cls(**{**values, "state": Path(values["state"])})


def parse(resources: list[dict[str, Any]]) -> Resources:
    """Parse a list of `{"type", "name", "arn", "properties"}`. Raises ConfigurationError."""
    by_type: dict[str, list[dict[str, Any]]] = {}
    for resource in resources:
        by_type.setdefault(resource["type"], []).append(resource)
    return Resources(
        queues={item["name"]: _queue(item) for item in by_type.get("AWS::Batch::JobQueue", [])},
        definitions={item["name"]: _definition(item) for item in by_type.get("AWS::Batch::JobDefinition", [])},
        endpoints={item["name"]: _endpoint(item, by_type) for item in by_type.get("AWS::SageMaker::Endpoint", [])},
    )


def _queue(item: dict[str, Any]) -> Queue:
    return Queue(arn=item["arn"], has_shares="SchedulingPolicyArn" in item["properties"])


def _definition(item: dict[str, Any]) -> JobDefinition:
    properties = item["properties"]
    container = properties["ContainerProperties"]
    retry = properties.get("RetryStrategy", {})
    return JobDefinition(
        arn=item["arn"],
        name=item["name"],
        image=container["Image"],
        command=tuple(container.get("Command", ())),
        environment={pair["Name"]: pair["Value"] for pair in container.get("Environment", [])},
        job_role_arn=container.get("JobRoleArn"),
        parameters=properties.get("Parameters", {}),
        retry=RetryStrategy(int(retry.get("Attempts", 1)), [_rule(rule) for rule in retry.get("EvaluateOnExit", [])]),
        timeout_seconds=properties.get("Timeout", {}).get("AttemptDurationSeconds"),
        scheduling_priority=int(properties.get("SchedulingPriority", 0)),
    )


def _rule(rule: dict[str, str]) -> Rule:
    return Rule(rule["Action"], rule.get("OnExitCode"), rule.get("OnReason"), rule.get("OnStatusReason"))


def _endpoint(item: dict[str, Any], by_type: dict[str, list[dict[str, Any]]]) -> Endpoint:
    config = _named(by_type, "AWS::SageMaker::EndpointConfig", item["properties"]["EndpointConfigName"])
    variants = config["ProductionVariants"]
    if len(variants) != 1:
        raise ConfigurationError(
            f"the endpoint {item['name']} has {len(variants)} variants; the embedded cloud needs exactly one"
        )
    served = (
        _model_fields(variants[0], by_type)
        if "ModelName" in variants[0]
        else _component_fields(item["name"], config, by_type)
    )
    serverless = variants[0].get("ServerlessConfig", {})
    return Endpoint(
        arn=item["arn"],
        name=item["name"],
        variant=variants[0]["VariantName"],
        concurrency=int(serverless["MaxConcurrency"]) if serverless else None,
        **served,
    )


def _model_fields(variant: dict[str, Any], by_type: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    model = _named(by_type, "AWS::SageMaker::Model", variant["ModelName"])
    container = model["PrimaryContainer"]
    return {
        "image": container["Image"],
        "artifact_url": container.get("ModelDataUrl"),
        "environment": container.get("Environment", {}),
        "role_arn": model["ExecutionRoleArn"],
    }


def _component_fields(
    endpoint: str, config: dict[str, Any], by_type: dict[str, list[dict[str, Any]]]
) -> dict[str, Any]:
    components = by_type.get("AWS::SageMaker::InferenceComponent", [])
    found = [item for item in components if item["properties"]["EndpointName"] == endpoint]
    if len(found) != 1:
        raise ConfigurationError(f"{endpoint} has no model and {len(found)} components; the embedded cloud needs one")
    container = found[0]["properties"]["Specification"]["Container"]
    return {
        "image": container["Image"],
        "artifact_url": container.get("ArtifactUrl"),
        "environment": container.get("Environment", {}),
        "role_arn": config["ExecutionRoleArn"],
        "component": Component(found[0]["arn"], found[0]["name"], _min_copies(found[0]["name"], by_type)),
    }


def _min_copies(component: str, by_type: dict[str, list[dict[str, Any]]]) -> int:
    targets = [item["properties"] for item in by_type.get("AWS::ApplicationAutoScaling::ScalableTarget", [])]
    found = [target["MinCapacity"] for target in targets if target["ResourceId"] == f"inference-component/{component}"]
    return int(found[0]) if found else 1


def _named(by_type: dict[str, list[dict[str, Any]]], resource_type: str, name: str) -> dict[str, Any]:
    found = next((item for item in by_type.get(resource_type, []) if name in (item["name"], item["arn"])), None)
    if found is None:
        raise ConfigurationError(f"there is no {resource_type} named {name}: deploy the stack that contains it")
    properties: dict[str, Any] = found["properties"]
    return properties
