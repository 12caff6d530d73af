"""`make deploy`, between publishing and deploying: SageMaker creates models from images with Docker manifests only.

Reads the type of every published image's manifest from Amazon ECR, also of images that `models.<name>.image` names.
Exit codes: 0 all can be served, 1 one cannot, 3 settings or assets are not there, 4 AWS answered with an error.
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
"""All of them, or ECR may convert what it holds into one that was asked for."""
DENIED = ("AccessDenied", "AccessDeniedException")
REBUILD = """\
Delete it:
  aws ecr batch-delete-image --region {region} --registry-id {registry} --repository-name {repository} \\
    --image-ids {identifier}
Then build it with Docker 23 or later, whose BuildKit takes `--output type=docker,oci-mediatypes=false`
(`docker buildx version` must answer; podman does not take it), or in the account: images = "codebuild".
Then `make deploy` again."""
REPUSH = """\
Build it with `docker build --provenance=false --output type=docker,oci-mediatypes=false …`, push it under
another tag, name that tag in dropscore.toml and `make deploy` again."""


@dataclass(frozen=True)
class Pushed:
    """An image in ECR, the role under which the CDK published it, and what to do if SageMaker cannot serve it."""

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
    def what_to_do(self) -> str:
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
        print(f"error: AWS answered: {error}", file=sys.stderr)
        return 4
    return max((_check(image) for image in images), default=0)


def published(assembly: Path) -> Iterator[Pushed]:
    """The images that the assembly's stacks build and publish, each once."""
    files = sorted(assembly.glob("*.assets.json"))
    if not files:
        raise FileNotFoundError(f"{assembly} holds no assets; `npx cdk synth` writes them")
    destinations = {
        (each["repositoryName"], each["imageTag"]): each
        for file in files
        for image in json.loads(file.read_text())["dockerImages"].values()
        for each in image["destinations"].values()
    }
    if destinations:
        yield from _resolved(list(destinations.values()))


def named(settings: Settings) -> Iterator[Pushed]:
    """The images of people's own that lie in ECR already."""
    containers = {model.container for model in settings.models if isinstance(model.container, EcrImage)}
    yield from map(by_uri, sorted(containers, key=lambda each: each.uri))


def by_uri(image: EcrImage) -> Pushed:
    tag_or_digest = image.uri.partition("/")[2].removeprefix(image.repository)
    _, at, digest = tag_or_digest.partition("@")
    identifier = f"imageDigest={digest}" if at else f"imageTag={tag_or_digest.removeprefix(':')}"
    return Pushed(image.account, image.region, image.repository, identifier, None, REPUSH)


def manifest_type(ecr: Any, image: Pushed) -> str:
    """The media type of the image's manifest, as ECR holds it. Raises ClientError; LookupError if it is not there."""
    name, _, value = image.identifier.partition("=")
    answer = ecr.batch_get_image(
        registryId=image.registry,
        repositoryName=image.repository,
        imageIds=[{name: value}],
        acceptedMediaTypes=TYPES,
    )
    if not answer["images"]:
        raise LookupError(answer["failures"][0]["failureReason"])
    found: str = answer["images"][0]["imageManifestMediaType"]
    return found


def _check(image: Pushed) -> int:
    try:
        found = manifest_type(_registry(image), image)
    except (ClientError, BotoCoreError, LookupError) as error:
        if isinstance(error, ClientError) and error.response["Error"]["Code"] in DENIED:
            # Whoever deploys need not be allowed to read every image; SageMaker says it then, some minutes later.
            print(f"not checked: {image}: {error}", file=sys.stderr)
            return 0
        print(f"error: {image}: {error}", file=sys.stderr)
        return 4
    if found == DOCKER_MANIFEST:
        return 0
    print(f"error: {image}: its manifest is {found}.\nSageMaker takes {DOCKER_MANIFEST} only.", file=sys.stderr)
    print(image.what_to_do, file=sys.stderr)
    return 1


def _resolved(destinations: list[dict[str, Any]]) -> Iterator[Pushed]:
    """With this account and region in the place of the assembly's placeholders, as the CDK fills them."""
    session = boto3.Session()
    here = boto3.client("sts").get_caller_identity()
    filled = {
        "AWS::AccountId": here["Account"],
        "AWS::Region": session.region_name,
        "AWS::Partition": here["Arn"].split(":")[1],
    }
    for each in destinations:
        repository, tag, role = (
            _fill(each.get(key), filled) for key in ("repositoryName", "imageTag", "assumeRoleArn")
        )
        yield Pushed(here["Account"], str(session.region_name), str(repository), f"imageTag={tag}", role, REBUILD)


def _fill(text: str | None, values: dict[str, Any]) -> str | None:
    for name, value in values.items():
        text = text and text.replace(f"${{{name}}}", str(value))
    return text


def _registry(image: Pushed) -> Any:
    """Under the role that published the image or, as the CDK does it, under one's own if that cannot be assumed."""
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
