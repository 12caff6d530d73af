"""What goes into the images and the functions: allow-lists, so that nothing else ever changes a hash."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import IgnoreMode, Stack
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks.settings.container import ROOT, Container, EcrImage

LEFTOVERS = ["**/__pycache__", "**/*.pyc", "**/.*_cache"]
NOT_IN_THE_CLOUD = ["dropscore/cli", "dropscore/environments.py"]


@dataclass(frozen=True)
class ModelImage:
    uri: str
    version: str
    """Another one for every other image."""
    repository: ecr.IRepository


def model_image(scope: Construct, construct_id: str, container: Container) -> ModelImage:
    """A folder becomes an image at deployment; an image that lies in ECR is taken as it is."""
    if isinstance(container, EcrImage):
        return ModelImage(container.uri, container.version, _repository(scope, construct_id, container))
    asset = ecr_assets.DockerImageAsset(
        scope,
        construct_id,
        directory=str(container.path),
        platform=ecr_assets.Platform.LINUX_AMD64,
        exclude=LEFTOVERS,
        ignore_mode=IgnoreMode.DOCKER,
    )
    return ModelImage(asset.image_uri, asset.asset_hash[:12], asset.repository)


def _repository(scope: Construct, construct_id: str, image: EcrImage) -> ecr.IRepository:
    arn = Stack.of(scope).format_arn(
        service="ecr",
        region=image.region,
        account=image.account,
        resource="repository",
        resource_name=image.repository,
    )
    return ecr.Repository.from_repository_attributes(
        scope, construct_id, repository_arn=arn, repository_name=image.repository
    )


def worker_image(scope: Construct, construct_id: str) -> ecr_assets.DockerImageAsset:
    """The worker, from the runtime core and its own folder; `.dockerignore` in the root holds the allow-list."""
    return ecr_assets.DockerImageAsset(
        scope,
        construct_id,
        directory=str(ROOT),
        file="containers/worker/Dockerfile",
        platform=ecr_assets.Platform.LINUX_AMD64,
    )


def function_code(name: str) -> lambda_.AssetCode:
    """The Lambda `name`: the runtime core and its doorway in `lambdas/<name>`."""
    allowed = ["*", "!dropscore", "!lambdas/__init__.py", f"!lambdas/{name}"]
    return lambda_.Code.from_asset(
        str(ROOT), exclude=[*allowed, *NOT_IN_THE_CLOUD, *LEFTOVERS], ignore_mode=IgnoreMode.DOCKER
    )
