"""Hosting: each model on its own SageMaker endpoint."""

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
CODE_CHARACTERS = string.digits + string.ascii_lowercase


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
        self.add_stack_dependency(storage)  # the endpoints' log groups are used by name, which adds no dependency
        self.key = kms.Key(
            self,
            "Key",
            description="Dropscore: volumes of the endpoints",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.DESTROY,  # endpoint volumes hold no data that must be retained
        )
        model_images = self._images(models, images)
        self.endpoints = [
            Endpoint(
                self,
                construct_name(model.name),
                name=endpoint_name(deploy, model),
                model=model,
                image=model_images[model.container],
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
        """Build each container once, also if several models use it; `_image_name` keeps its construct ID stable."""
        # Reversed, so that the first of several models with one container names it.
        names = {model.container: _image_name(model) for model in reversed(models)}
        return {container: model_image(images, self, name, container) for container, name in names.items()}


def _image_name(model: ServedModel) -> str:
    """`ModelImage` is our container; a model named `model` with its own image gets another name."""
    title = construct_name(model.name)
    return "ModelImage" if model.container == OURS else f"{title}OwnImage" if title == "Model" else f"{title}Image"


def endpoint_name(deploy: Deploy, model: ServedModel) -> str:
    """Return the endpoint's name. It changes if SageMaker cannot update the endpoint: CloudFormation then replaces it.

    SageMaker cannot switch an endpoint between instances, copies and serverless, nor change the instance type of one
    that scales (decision 0022). The suffix begins with a digit, which no part of a model's name does, so names cannot
    collide. Raises SettingsError if the name is too long.
    """
    name = f"{deploy.stack_name(model.name)}{_name_suffix(model.serving)}"
    if len(name) > LONGEST_NAME:
        raise SettingsError(
            f"dropscore.toml: models.{model.name}: the endpoint name {name} is longer than the "
            f"{LONGEST_NAME} characters that SageMaker allows; shorten the model's name or deploy.env by "
            f"{len(name) - LONGEST_NAME}"
        )
    return name


def _name_suffix(serving: ModelSettings) -> str:
    if serving.serverless_memory_mib:
        return "-1"
    if not serving.scales:
        return ""
    return f"{'-0' if serving.scales_to_zero else '-2'}{type_code(serving.instance_type)}"


def type_code(instance_type: str) -> str:
    """Return four characters that are unique for each instance type."""
    number = int.from_bytes(sha256(instance_type.encode()).digest())
    return "".join(
        CODE_CHARACTERS[number // len(CODE_CHARACTERS) ** place % len(CODE_CHARACTERS)] for place in range(4)
    )


def construct_name(model_name: str) -> str:
    """`credit-card` → `CreditCard`; unique for each valid model name."""
    return "".join(word.capitalize() for word in model_name.split("-"))
