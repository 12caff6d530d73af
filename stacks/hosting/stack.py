"""Hosting: the models, each served by its own SageMaker endpoint."""

from __future__ import annotations

import string
from collections.abc import Sequence
from hashlib import sha256

from aws_cdk import CfnOutput, RemovalPolicy, Stack
from aws_cdk import aws_kms as kms
from constructs import Construct

from stacks.constructs.code import Image, ImageMaker, model_image
from stacks.hosting.endpoint import Endpoint
from stacks.settings import ServedModel
from stacks.settings.container import OURS, Container
from stacks.settings.models import ModelSettings
from stacks.settings.problems import SettingsError
from stacks.settings.sections import Deploy, MonitoringSettings
from stacks.storage.stack import Storage

LONGEST_NAME = 63
CODE = string.digits + string.ascii_lowercase


class Hosting(Stack):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        deploy: Deploy,
        models: Sequence[ServedModel],
        storage: Storage,
        monitoring: MonitoringSettings,
        images: ImageMaker,
    ) -> None:
        super().__init__(
            scope, construct_id, stack_name=deploy.stack_name("hosting"), description="Dropscore: the models"
        )
        self.add_stack_dependency(storage)  # the endpoints' log groups are known by name, which makes no dependency
        self.key = kms.Key(
            self,
            "Key",
            description="Dropscore: volumes of the endpoints",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.DESTROY,  # nothing outlives an endpoint on its volume
        )
        made = self._images(models, images)
        self.endpoints = [
            Endpoint(
                self,
                construct_name(model.name),
                name=endpoint_name(deploy, model),
                model=model,
                image=made[model.container],
                volume_key=self.key,
                storage=storage,
                monitoring=monitoring,
            )
            for model in models
        ]
        for endpoint in self.endpoints:
            title = construct_name(endpoint.model.name)
            CfnOutput(self, f"EndpointName{title}", value=endpoint.endpoint_name)

    def _images(self, models: Sequence[ServedModel], images: ImageMaker) -> dict[Container, Image]:
        """One for each container, however many models it serves; ours under its own name, or it would move."""
        names = {model.container: _image_name(model) for model in reversed(models)}
        return {container: model_image(images, self, name, container) for container, name in names.items()}


def _image_name(model: ServedModel) -> str:
    """Ours has a name that no model's own image gets, not even that of a model which is called `model`."""
    title = construct_name(model.name)
    return "ModelImage" if model.container == OURS else f"{title}OwnImage" if title == "Model" else f"{title}Image"


def endpoint_name(deploy: Deploy, model: ServedModel) -> str:
    """Another name where SageMaker would refuse to update the endpoint: CloudFormation then replaces it.

    It turns no endpoint of one kind into one of another, and changes the instance type of none that scales (decision
    0022). The digit tells the kind from any model's name: none has one after a hyphen. Raises SettingsError.
    """
    name = f"{deploy.stack_name(model.name)}{_kind(model.serving)}"
    if len(name) > LONGEST_NAME:
        raise SettingsError(
            f"dropscore.toml: models.{model.name}: its endpoint would be called {name}, which is longer than the "
            f"{LONGEST_NAME} characters that SageMaker takes; shorten the model's name or deploy.env by "
            f"{len(name) - LONGEST_NAME}"
        )
    return name


def _kind(serving: ModelSettings) -> str:
    if serving.serverless_memory_mib:
        return "-1"
    if not serving.scales:
        return ""
    return f"{'-0' if serving.sleeps else '-2'}{type_code(serving.instance_type)}"


def type_code(instance_type: str) -> str:
    """Four characters that differ from one instance type to another."""
    number = int.from_bytes(sha256(instance_type.encode()).digest())
    return "".join(CODE[number // len(CODE) ** place % len(CODE)] for place in range(4))


def construct_name(model_name: str) -> str:
    """`credit-card` → `CreditCard`; no two valid model names give the same."""
    return "".join(word.capitalize() for word in model_name.split("-"))
