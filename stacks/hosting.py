"""Hosting: the models, each served by its own SageMaker endpoint."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_kms as kms
from constructs import Construct

from stacks.endpoint import Endpoint
from stacks.settings import ServedModel
from stacks.settings.container import OURS, Container
from stacks.settings.sections import Deploy
from stacks.sources import ModelImage, model_image


class Hosting(Stack):
    def __init__(
        self, scope: Construct, construct_id: str, *, deploy: Deploy, models: Sequence[ServedModel], key: kms.IKey
    ) -> None:
        super().__init__(
            scope, construct_id, stack_name=deploy.stack_name("hosting"), description="Dropscore: the models"
        )
        images = self._images(models)
        self.endpoints = [self._endpoint(model, images[model.container], key) for model in models]

    def _images(self, models: Sequence[ServedModel]) -> dict[Container, ModelImage]:
        """One for each container, however many models it serves; ours under its own name, or it would move."""
        names = {model.container: f"{construct_name(model.name)}Image" for model in reversed(models)}
        names |= {OURS: "ModelImage"} if OURS in names else {}
        return {container: model_image(self, name, container) for container, name in names.items()}

    def _endpoint(self, model: ServedModel, image: ModelImage, key: kms.IKey) -> Endpoint:
        title = construct_name(model.name)
        endpoint = Endpoint(self, title, model=model, image=image, volume_key=key)
        CfnOutput(self, f"EndpointName{title}", value=endpoint.endpoint_name)
        return endpoint


def construct_name(model_name: str) -> str:
    """`credit-card` → `CreditCard`; no two valid model names give the same."""
    return "".join(word.capitalize() for word in model_name.split("-"))
