"""Checks image manifests for `make deploy`: SageMaker creates models only from images with Docker manifests.

Reads the type of every published image's manifest from Amazon ECR, including images that `models.<name>.image` names.
Exit codes: 0 SageMaker accepts all, 1 it refuses one, 3 wrong settings or missing assets, 4 AWS returned an error.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from stacks.settings import Settings
from stacks.settings.container import EcrImage
from stacks.settings.problems import SettingsError

ROOT = Path(__file__).resolve().parents[1]
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
TYPES = [
    DOCKER_MANIFEST,
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
]
"""All types, because ECR converts a manifest to an accepted type if its own is not accepted."""
DENIED = ("AccessDenied", "AccessDeniedException")
REBUILD = """\
Delete it:
  aws ecr batch-delete-image --region {region} --registry-id {registry} --repository-name {repository} \\
    --image-ids {identifier}
Then build it with Docker 23 or later, whose BuildKit supports `--output type=docker,oci-mediatypes=false`
(`docker buildx version` must work; podman does not support it), or in the account: images = "codebuild".
Then `make deploy` again."""
REPUSH = """\
Build it with `docker build --provenance=false --output type=docker,oci-mediatypes=false …`, push it under
another tag, name that tag in dropscore.toml and `make deploy` again."""


@dataclass(frozen=True)
class Pushed:
    """An image in ECR, the CDK role that published it, and what to do if SageMaker refuses it."""

    registry: str
    region: str
    repository: str
    identifier: str
    """`imageTag=…` or `imageDigest=…`."""
    role: str | None
    fix: str

    def __str__(self) -> str:
        return f"{self.registry}.dkr.ecr.{self.region}/{self.repository} {self.identifier}"

    @property
    def instructions(self) -> str:
        where = {"region": self.region, "registry": self.registry, "repository": self.repository}
        return self.fix.format(**where, identifier=self.identifier)


def main(assembly: Path = ROOT / "cdk.out", root: Path = ROOT) -> int:
    try:
        settings = Settings.load(root)
        images = [*published(assembly), *named(settings)]
    except (SettingsError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    except (ClientError, BotoCoreError) as error:
        print(f"error: AWS returned an error: {error}", file=sys.stderr)
        return 4
    return max((_check(image) for image in images), default=0)


def published(assembly: Path) -> Iterator[Pushed]:
    """The distinct images that the assembly's stacks publish. Raises FileNotFoundError if there are no assets."""
    files = sorted(assembly.glob("*.assets.json"))
    if not files:
        raise FileNotFoundError(f"{assembly} contains no assets; run `npx cdk synth` first")
    destinations = {
        (destination["repositoryName"], destination["imageTag"]): destination
        for file in files
        for image in json.loads(file.read_text())["dockerImages"].values()
        for destination in image["destinations"].values()
    }
    if destinations:
        yield from _resolved(list(destinations.values()))


def named(settings: Settings) -> Iterator[Pushed]:
    """The existing ECR images that the settings name."""
    containers = {model.container for model in settings.models if isinstance(model.container, EcrImage)}
    yield from map(by_uri, sorted(containers, key=lambda container: container.uri))


def by_uri(image: EcrImage) -> Pushed:
    tag_or_digest = image.uri.partition("/")[2].removeprefix(image.repository)
    _, at, digest = tag_or_digest.partition("@")
    identifier = f"imageDigest={digest}" if at else f"imageTag={tag_or_digest.removeprefix(':')}"
    return Pushed(image.account, image.region, image.repository, identifier, None, REPUSH)


def manifest_type(ecr: Any, image: Pushed) -> str:
    """The media type of the image's manifest in ECR. Raises ClientError, or LookupError if there is no such image."""
    name, _, value = image.identifier.partition("=")
    response = ecr.batch_get_image(
        registryId=image.registry,
        repositoryName=image.repository,
        imageIds=[{name: value}],
        acceptedMediaTypes=TYPES,
    )
    if not response["images"]:
        raise LookupError(response["failures"][0]["failureReason"])
    found: str = response["images"][0]["imageManifestMediaType"]
    return found


def _check(image: Pushed) -> int:
    try:
        found = manifest_type(_registry(image), image)
    except (ClientError, BotoCoreError, LookupError) as error:
        if isinstance(error, ClientError) and error.response["Error"]["Code"] in DENIED:
            # Reading every image is optional: SageMaker reports a wrong manifest itself, some minutes later.
            print(f"not checked: {image}: {error}", file=sys.stderr)
            return 0
        print(f"error: {image}: {error}", file=sys.stderr)
        return 4
    if found == DOCKER_MANIFEST:
        return 0
    print(f"error: {image}: its manifest is {found}.\nSageMaker accepts only {DOCKER_MANIFEST}.", file=sys.stderr)
    print(image.instructions, file=sys.stderr)
    return 1


def _resolved(destinations: list[dict[str, Any]]) -> Iterator[Pushed]:
    """Replace the assembly's placeholders with this account and region, as the CDK does."""
    session = boto3.Session()
    here = boto3.client("sts").get_caller_identity()
    filled = {
        "AWS::AccountId": here["Account"],
        "AWS::Region": session.region_name,
        "AWS::Partition": here["Arn"].split(":")[1],
    }
    for destination in destinations:
        repository, tag, role = (
            _fill(destination.get(key), filled) for key in ("repositoryName", "imageTag", "assumeRoleArn")
        )
        yield Pushed(here["Account"], str(session.region_name), str(repository), f"imageTag={tag}", role, REBUILD)


def _fill(text: str | None, values: dict[str, Any]) -> str | None:
    for name, value in values.items():
        text = text and text.replace(f"${{{name}}}", str(value))
    return text


def _registry(image: Pushed) -> Any:
    """An ECR client with the publishing role or, like the CDK, with the caller's permissions if that fails."""
    if image.role is not None:
        try:
            given = boto3.client("sts").assume_role(RoleArn=image.role, RoleSessionName="manifests")["Credentials"]
        except ClientError as error:
            print(f"{image.role} cannot be assumed ({error}); using your own permissions", file=sys.stderr)
        else:
            return boto3.client(
                "ecr",
                region_name=image.region,
                aws_access_key_id=given["AccessKeyId"],
                aws_secret_access_key=given["SecretAccessKey"],
                aws_session_token=given["SessionToken"],
            )
    return boto3.client("ecr", region_name=image.region)


if __name__ == "__main__":
    sys.exit(main())
