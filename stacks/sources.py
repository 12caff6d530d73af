"""What goes into the images and the functions: allow-lists, so that nothing else ever changes a hash."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import IgnoreMode
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

ROOT = Path(__file__).resolve().parents[1]
LEFTOVERS = ["**/__pycache__", "**/*.pyc", "**/.*_cache"]
NOT_IN_THE_CLOUD = ["dropscore/cli", "dropscore/environments.py"]


def model_image(scope: Construct, construct_id: str) -> ecr_assets.DockerImageAsset:
    """The model container, from its own folder alone."""
    return ecr_assets.DockerImageAsset(
        scope,
        construct_id,
        directory=str(ROOT / "containers" / "model"),
        platform=ecr_assets.Platform.LINUX_AMD64,
        exclude=LEFTOVERS,
        ignore_mode=IgnoreMode.DOCKER,
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
