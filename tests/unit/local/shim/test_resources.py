"""The shim's parsing of SageMaker resources."""

from __future__ import annotations

from typing import Any

import pytest

from dropscore.errors import ConfigurationError
from local.shim.resources import Component, Endpoint, parse

ROLE = "arn:aws:iam::000000000000:role/model"
CONTAINER = {"Image": "a/b:tag", "ArtifactUrl": "s3://b/model.tar.gz", "Environment": {"PIN": "1"}}


def resource(resource_type: str, name: str, **properties: Any) -> dict[str, Any]:
    return {"type": f"AWS::{resource_type}", "name": name, "arn": f"arn:{name}", "properties": properties}


def endpoint_of(*resources: dict[str, Any], **variant: Any) -> Endpoint:
    config = {"ProductionVariants": [{"VariantName": "AllTraffic", **variant}], "ExecutionRoleArn": ROLE}
    endpoint = resource("SageMaker::Endpoint", "e", EndpointConfigName="c")
    return parse([endpoint, resource("SageMaker::EndpointConfig", "c", **config), *resources]).endpoints["e"]


def component(endpoint: str = "e") -> dict[str, Any]:
    return resource(
        "SageMaker::InferenceComponent", "copy", EndpointName=endpoint, Specification={"Container": CONTAINER}
    )


def target(min_copies: int, resource_id: str = "inference-component/copy") -> dict[str, Any]:
    return resource("ApplicationAutoScaling::ScalableTarget", "t", ResourceId=resource_id, MinCapacity=min_copies)


def test_an_endpoint_with_a_component_uses_the_endpoints_role() -> None:
    found = endpoint_of(component(), component("another"), target(0))
    assert (found.image, found.artifact_url, found.environment) == ("a/b:tag", "s3://b/model.tar.gz", {"PIN": "1"})
    assert found.role_arn == ROLE
    assert found.component == Component("arn:copy", "copy", min_copies=0)


@pytest.mark.parametrize("more", [[], [target(1)], [target(0, "endpoint/e/variant/AllTraffic")]])
def test_a_component_without_scaling_has_one_copy(more: list[dict[str, Any]]) -> None:
    found = endpoint_of(component(), *more).component
    assert found is not None
    assert found.min_copies == 1


def test_an_endpoint_without_a_model_or_a_component_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="e has no model and 0 components"):
        endpoint_of(component("another"))


def test_a_serverless_endpoint_has_a_concurrency_limit() -> None:
    model = resource("SageMaker::Model", "m", PrimaryContainer=CONTAINER, ExecutionRoleArn=ROLE)
    found = endpoint_of(model, ModelName="m", ServerlessConfig={"MaxConcurrency": 7, "MemorySizeInMB": 2048})
    assert (found.concurrency, found.component, found.environment) == (7, None, {"PIN": "1"})
    assert endpoint_of(model, ModelName="m").concurrency is None
