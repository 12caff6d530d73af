"""Hosting: the models, each served by its own SageMaker endpoint."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_kms as kms
from constructs import Construct

from stacks.endpoint import Endpoint
from stacks.sections import Deploy
from stacks.settings import ServedModel
from stacks.sources import model_image


class Hosting(Stack):
    def __init__(
        self, scope: Construct, construct_id: str, *, deploy: Deploy, models: Sequence[ServedModel], key: kms.IKey
    ) -> None:
        super().__init__(
            scope, construct_id, stack_name=deploy.stack_name("hosting"), description="Dropscore: the models"
        )
        image = model_image(self, "ModelImage")
        self.endpoints = [self._endpoint(model, image, key) for model in models]

    def _endpoint(self, model: ServedModel, image: ecr_assets.DockerImageAsset, key: kms.IKey) -> Endpoint:
        title = construct_name(model.name)
        endpoint = Endpoint(self, title, model=model, image=image, volume_key=key)
        CfnOutput(self, f"EndpointName{title}", value=endpoint.endpoint_name)
        return endpoint


def construct_name(model_name: str) -> str:
    """`credit-card` → `CreditCard`; no two valid model names give the same."""
    return "".join(word.capitalize() for word in model_name.split("-"))
