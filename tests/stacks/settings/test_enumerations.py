"""Synth checks AWS's enumerations against the service models of the pinned botocore."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
from botocore.loaders import Loader

from stacks.settings import SECTIONS, Settings
from stacks.settings.enumerations import hosting_types, instance_families, regions
from stacks.settings.models import SERVERLESS_MEMORY_MIB, ModelSettings
from stacks.settings.problems import SettingsError
from stacks.settings.sections import LOG_DAYS
from stacks.settings.workers import FAMILIES, FARGATE_MEMORY_MIB
from tests.stacks.building import Json, Templates, write_settings
from tests.stacks.conftest import Build

EC2 = {"worker.compute": "ec2"}
ECR = "123456789012.dkr.ecr.{}.amazonaws.com/team/mine:1"
SLIPS: dict[str, tuple[dict[str, object], str]] = {
    "hosting instance": (
        {"models.fraud.instance_type": "ml.m5.larg"},
        "models.fraud.instance_type: 'ml.m5.larg': .* SageMaker hosting instance; did you mean 'ml.m5.large'",
    ),
    "family": (
        {**EC2, "worker.instance_families": ["m5", "m7ii"]},
        "worker.instance_families: 'm7ii': .* does not list this EC2 instance family; did you mean 'm7i'",
    ),
    "region of a zone": (
        {"network.max_azs": None, "network.zones": ["eu-wst-1a", "eu-wst-1b"]},
        "network.zones: 'eu-wst-1': .* does not list this AWS region; did you mean 'eu-west-1'",
    ),
    "region of an image": (
        {"models.fraud.artifact": None, "models.fraud.image": ECR.format("eu-wst-1")},
        "models.fraud.image: 'eu-wst-1': .* does not list this AWS region; did you mean 'eu-west-1'",
    ),
}
NEWER: list[tuple[dict[str, object], str]] = [
    ({"models.fraud.instance_type": "ml.m99.large"}, "ml.m99.large"),
    ({**EC2, "worker.instance_families": ["m99"]}, "m99"),
    ({"network.max_azs": None, "network.zones": ["eu-nowhere-1a", "eu-nowhere-1b"]}, "eu-nowhere-1"),
    ({"models.fraud.artifact": None, "models.fraud.image": ECR.format("eu-nowhere-1")}, "eu-nowhere-1"),
]
CHECKED = {"models.instance_type", "models.image", "worker.instance_families", "network.zones"}
FREE = {
    "deploy.env": "our own name",
    "deploy.tags": "people's own",
    "deploy.unlisted": "what no list holds",
    "inputs.names": "our own patterns",
    "monitoring.emails": "addresses",
    "models.container": "a folder",
    "models.artifact": "a file",
}
"""Settings that need no check against an enumeration. Texts of routes reach templates only as our own JSON."""


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_of_the_pen_is_refused_with_what_is_near(tmp_path: Path, slip: str) -> None:
    overrides, expected = SLIPS[slip]
    write_settings(tmp_path, overrides)
    with pytest.raises(SettingsError, match=expected) as raised:
        Settings.load(tmp_path, {})
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize(("overrides", "value"), NEWER)
def test_a_newer_value_is_accepted_once_named(tmp_path: Path, overrides: dict[str, object], value: str) -> None:
    write_settings(tmp_path, overrides)
    with pytest.raises(SettingsError, match=rf"add it to deploy\.unlisted: unlisted = \['{value}'\]"):
        Settings.load(tmp_path, {})
    write_settings(tmp_path, {**overrides, "deploy.unlisted": [value]})
    assert Settings.load(tmp_path, {}).deploy.unlisted == [value]


def test_a_serverless_models_default_type_is_not_looked_up(tmp_path: Path) -> None:
    own = ("instance_type", "instance_count")
    write_settings(
        tmp_path, {**{f"models.fraud.{key}": None for key in own}, "models.fraud.serverless_memory_mib": 1024}
    )
    assert Settings.load(tmp_path, {}).models[0].serving.serverless_memory_mib == 1024


def test_every_text_among_the_settings_is_accounted_for() -> None:
    """A new text setting is either checked against AWS's list or listed here with the reason why not."""
    texts = {
        f"{section}.{name}"
        for section, settings_type in SECTIONS.items()
        if section not in ("", "routes")
        for name, field in settings_type.model_fields.items()
        if str in _parts(field.annotation)
    }
    assert texts == CHECKED | FREE.keys()


def test_our_own_choices_are_among_what_aws_lists() -> None:
    assert {family for families in FAMILIES.values() for family in families} <= set(instance_families())
    assert ModelSettings.model_fields["instance_type"].default in hosting_types()
    assert {"eu-west-1", "us-gov-west-1", "cn-north-1"} <= set(regions())


def test_what_is_sold_is_what_aws_documents() -> None:
    logs, batch, sagemaker = (_shapes(service) for service in ("logs", "batch", "sagemaker"))
    days = logs["Days"]["documentation"].partition("Possible values are:")[2].partition(".")[0]
    assert tuple(map(int, re.findall(r"\d+", days))) == LOG_DAYS
    text = re.sub(r"<[^>]+>", " ", batch["ResourceRequirement"]["members"]["value"]["documentation"])
    sold = {
        float(vcpus): [int(each) for each in re.findall(r"\d+", memory)]
        for vcpus, memory in re.findall(r"value = ([\d.]+)\s+MEMORY\s+= ([\d, or]+)", text)
    }
    assert {vcpus: sold[vcpus] for vcpus in FARGATE_MEMORY_MIB} == FARGATE_MEMORY_MIB
    memory = sagemaker["ServerlessMemorySizeInMB"]
    assert (SERVERLESS_MEMORY_MIB[0], SERVERLESS_MEMORY_MIB[-1]) == (memory["min"], memory["max"])


@pytest.mark.parametrize(
    ("service", "shape", "section", "key"),
    [
        ("sagemaker", "ServerlessMaxConcurrency", "models", "serverless_concurrency"),
        ("sagemaker", "SamplingPercentage", "models", "capture_percent"),
    ],
)
def test_ranges_are_those_of_aws(service: str, shape: str, section: str, key: str) -> None:
    bounds = {type(each).__name__: each for each in SECTIONS[section].model_fields[key].metadata}
    least, most = bounds["Ge"].ge, bounds["Le"].le
    assert least >= _shapes(service)[shape]["min"]
    assert most <= _shapes(service)[shape]["max"]


# Templates: every value for which the service's model has an enumeration or a range.

CREATED_BY = {
    "AWS::ApplicationAutoScaling::ScalableTarget": ("application-autoscaling", "RegisterScalableTarget"),
    "AWS::ApplicationAutoScaling::ScalingPolicy": ("application-autoscaling", "PutScalingPolicy"),
    "AWS::Batch::ComputeEnvironment": ("batch", "CreateComputeEnvironment"),
    "AWS::Batch::JobDefinition": ("batch", "RegisterJobDefinition"),
    "AWS::Batch::JobQueue": ("batch", "CreateJobQueue"),
    "AWS::CloudWatch::Alarm": ("cloudwatch", "PutMetricAlarm"),
    "AWS::CodeBuild::Project": ("codebuild", "CreateProject"),
    "AWS::DynamoDB::Table": ("dynamodb", "CreateTable"),
    "AWS::EC2::FlowLog": ("ec2", "CreateFlowLogs"),
    "AWS::EC2::LaunchTemplate": ("ec2", "CreateLaunchTemplate"),
    "AWS::EC2::VPCEndpoint": ("ec2", "CreateVpcEndpoint"),
    "AWS::ECR::Repository": ("ecr", "CreateRepository"),
    "AWS::Lambda::Function": ("lambda", "CreateFunction"),
    "AWS::SageMaker::Endpoint": ("sagemaker", "CreateEndpoint"),
    "AWS::SageMaker::EndpointConfig": ("sagemaker", "CreateEndpointConfig"),
    "AWS::SageMaker::InferenceComponent": ("sagemaker", "CreateInferenceComponent"),
    "AWS::SageMaker::Model": ("sagemaker", "CreateModel"),
}
"""The call that creates each resource; its request has the properties' names in another case."""
SAMPLE: list[dict[str, object]] = [
    {**EC2, "worker.gpus": 1, "network.mode": "nat", "models.fraud.min_instances": 0},
    {"worker.architecture": "arm64", "deploy.images": "codebuild", "models.fraud.capture_percent": 5},
    {**EC2, "worker.architecture": "arm64", "models.fraud.max_instances": 3},
    {
        **dict.fromkeys(["models.fraud.instance_type", "models.fraud.instance_count"]),
        "models.fraud.serverless_memory_mib": 2048,
    },
]


@pytest.mark.parametrize("settings", [{}, *SAMPLE], ids=range(5))
def test_templates_hold_what_the_service_models_take(build_template: Build, settings: dict[str, object]) -> None:
    checked = list(_checked(build_template(settings)))
    assert len(checked) >= 20
    assert [f"{place}: {wrong}" for place, wrong in checked if wrong] == []


@pytest.mark.parametrize(
    ("resource_type", "path", "value"),
    [
        ("AWS::SageMaker::EndpointConfig", ["ProductionVariants", 0, "InstanceType"], "ml.m5.larg"),
        ("AWS::Batch::ComputeEnvironment", ["ComputeResources", "Type"], "FARGAT"),
        ("AWS::Lambda::Function", ["Runtime"], "python9"),
    ],
)
def test_a_wrong_value_in_a_template_would_be_found(
    templates: Templates, resource_type: str, path: list[Any], value: object
) -> None:
    (properties, *_) = [
        resource["Properties"]
        for template in templates.every.values()
        for resource in template["Resources"].values()
        if resource["Type"] == resource_type
    ]
    request = _request(resource_type)
    assert not [wrong for _, wrong in _compared(properties, *request, resource_type) if wrong]
    at: Any = properties
    for step in path[:-1]:
        at = at[step]
    before, at[path[-1]] = at[path[-1]], value
    try:
        found = [wrong for _, wrong in _compared(properties, *request, resource_type) if wrong]
    finally:
        at[path[-1]] = before
    assert len(found) == 1


def _checked(templates: Templates) -> Iterator[tuple[str, str | None]]:
    for stack, template in templates.every.items():
        for name, resource in template["Resources"].items():
            if resource["Type"] in CREATED_BY:
                yield from _compared(resource.get("Properties", {}), *_request(resource["Type"]), f"{stack}/{name}")


def _request(resource_type: str) -> tuple[str, Json]:
    service, operation = CREATED_BY[resource_type]
    model = Loader().load_service_model(service, "service-2")
    return model["operations"][operation]["input"]["shape"], model["shapes"]


def _compared(value: Any, shape_name: str, shapes: Json, place: str) -> Iterator[tuple[str, str | None]]:
    """The values with an enumeration or a range in the model, and what is wrong with each."""
    shape = shapes[shape_name]
    match shape["type"], value:
        case "structure", dict() if not _is_reference(value):
            members = {name.lower(): each["shape"] for name, each in shape["members"].items()}
            for key, each in value.items():
                if key.lower() in members:
                    yield from _compared(each, members[key.lower()], shapes, f"{place}.{key}")
        case "list", list():
            for index, each in enumerate(value):
                yield from _compared(each, shape["member"]["shape"], shapes, f"{place}.{index}")
        case "string", str() if "enum" in shape:
            allowed = {each.lower() for each in shape["enum"]}  # AWS Batch accepts `managed`, as the CDK writes it
            yield place, None if value.lower() in allowed else f"{value} is not one of {shape['enum']}"
        case "integer" | "long", int() if not isinstance(value, bool) and {"min", "max"} & shape.keys():
            yield (
                place,
                None if shape.get("min", value) <= value <= shape.get("max", value) else f"{value} is out of range",
            )


def _is_reference(value: Mapping[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::"))


def _shapes(service: str) -> Json:
    shapes: Json = Loader().load_service_model(service, "service-2")["shapes"]
    return shapes


def _parts(annotation: Any) -> set[Any]:
    return {annotation}.union(
        *(_parts(each) for each in get_args(annotation) if isinstance(each, type) or get_args(each))
    )
