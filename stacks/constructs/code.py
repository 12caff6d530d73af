"""Sources of images and functions. Allow-lists keep unrelated files from changing an asset's hash."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

from aws_cdk import IgnoreMode, Stack
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks.constructs.imports import imported_files
from stacks.settings.container import ROOT, Container, EcrImage

# An allow-list names whole folders. These files in them would change the hash without a change of the code.
LEFTOVERS = ["**/__pycache__", "**/*.pyc", "**/.*_cache"]
DOCKER_MANIFEST = "type=docker,oci-mediatypes=false"
"""The `--output` option of `docker build`. SageMaker rejects OCI manifests, Docker's default (decision 0032)."""


@dataclass(frozen=True)
class Image:
    uri: str
    version: str
    """Differs between any two images."""
    repository: ecr.IRepository


@dataclass(frozen=True)
class Source:
    """An image's source: a folder with an allow-list in its `.dockerignore`, and the architecture to build for."""

    program: Literal["model", "worker"]
    folder: Path
    architecture: str
    dockerfile: str | None = None
    """Relative to `folder`; None for its `Dockerfile`."""

    @property
    def platform(self) -> ecr_assets.Platform:
        is_arm = self.architecture == "arm64"
        return ecr_assets.Platform.LINUX_ARM64 if is_arm else ecr_assets.Platform.LINUX_AMD64


class ImageMaker(Protocol):
    """Builds images from sources: on the machine that deploys, or in the account (stacks/images/stack.py)."""

    def make(self, scope: Construct, construct_id: str, source: Source) -> Image: ...


class DockerImages:
    """Images that Docker builds on the machine that runs `cdk deploy`, pushed to the CDK bootstrap repository."""

    def make(self, scope: Construct, construct_id: str, source: Source) -> Image:
        asset = ecr_assets.DockerImageAsset(
            scope,
            construct_id,
            directory=str(source.folder),
            file=source.dockerfile,
            platform=source.platform,
            outputs=[DOCKER_MANIFEST],
            exclude=LEFTOVERS,
            ignore_mode=IgnoreMode.DOCKER,
        )
        return Image(asset.image_uri, asset.asset_hash, asset.repository)


def model_image(images: ImageMaker, scope: Construct, construct_id: str, container: Container) -> Image:
    """Return the image of `container`: built from a folder at deployment, or used as it is if it is in ECR."""
    if isinstance(container, EcrImage):
        return Image(container.uri, container.version, _repository(scope, construct_id, container))
    # The settings refuse Graviton instances for images that are built here, so x86-64 is enough.
    image = images.make(scope, construct_id, Source("model", container.path, "x86_64"))
    return replace(image, version=image.version[:12])


def _repository(scope: Construct, construct_id: str, image: EcrImage) -> ecr.IRepository:
    arn = Stack.of(scope).format_arn(
        service="ecr",
        region=image.region,
        account=image.account,
        resource="repository",
        resource_name=image.repository,
    )
    # `from_repository_arn` cannot find the name in an ARN that contains a CDK token, such as the partition.
    return ecr.Repository.from_repository_attributes(
        scope, construct_id, repository_arn=arn, repository_name=image.repository
    )


def worker_source(architecture: str) -> Source:
    """The runtime core and the worker's folder; the `.dockerignore` of the repository's root is the allow-list."""
    return Source("worker", ROOT, architecture, "containers/worker/Dockerfile")


def function_code(path: str) -> lambda_.AssetCode:
    """The code of the Lambda function in `lambdas/<path>`, such as `scoring/submit`: its handler and what it imports.

    A function is therefore redeployed only if a file that it uses has changed.
    """
    files = imported_files(ROOT / "lambdas" / path / "handler.py", ROOT, ("dropscore", "lambdas", "schema"))
    # Docker's ignore rules: with git's, no file below an excluded folder can be included again.
    return lambda_.Code.from_asset(
        str(ROOT), exclude=["*", *(f"!{file}" for file in files)], ignore_mode=IgnoreMode.DOCKER
    )
