"""Deploys an assembly to the emulator's CloudFormation, and returns the resources that the shim runs."""

from __future__ import annotations

import hashlib
import io
import json
import time
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from botocore.exceptions import ClientError

from dropscore.errors import CloudError, ConfigurationError
from local.deployment.account import ACCOUNT, REGION, Keys, call, client
from local.deployment.references import fill
from local.deployment.rewrite import Amendment, Shimmed, rewrite
from local.deployment.synthesis import ROOT, Assembly, FileAsset, ImageAsset, SynthesizedStack
from model_tools.environments import python_environment

POLL_SECONDS = 0.02
DEPLOY_SECONDS = 120
NO_REQUIREMENTS = Path(__file__).with_name("nothing") / "requirements.txt"


@dataclass(frozen=True)
class Emulator:
    url: str
    root: Keys

    def client(self, service: str) -> Any:
        return client(service, self.url, **self.root)


@dataclass(frozen=True)
class Deployment:
    outputs: dict[str, str]
    shimmed: tuple[Shimmed, ...]
    not_emulated: tuple[str, ...]


def deploy(
    assembly: Assembly, emulator_url: str, root: Keys, digests_file: Path, talk: Callable[[str], None]
) -> Deployment:
    """Create or update every stack in order; skip those whose digest in the file `digests_file` is unchanged.

    The file is written after the emulator has saved its state, so that an interrupted deployment is repeated.
    Raises CloudError if a stack fails.
    """
    emulator = Emulator(emulator_url, root)
    _publish({(asset.bucket, asset.key): asset for stack in assembly.stacks for asset in stack.files}, emulator)
    digests: dict[str, str] = json.loads(digests_file.read_text()) if digests_file.exists() else {}
    outputs: dict[str, str] = {}
    shimmed: list[Shimmed] = []
    notes: list[str] = []
    for stack in assembly.stacks:
        rewritten = rewrite(stack.name, stack.template)
        body = json.dumps(rewritten.template)
        digest = hashlib.sha256(body.encode()).hexdigest()
        deployer = _Stack(stack.name, emulator.client("cloudformation"))
        if digests.get(stack.name) != digest or deployer.status() not in _Stack.GOOD:
            talk(f"deploying {stack.name}")
            deployer.put(_template_url(stack, body, emulator))
            for amendment in rewritten.amendments:
                value = fill(amendment.value, deployer.outputs())
                _amend(amendment, deployer.physical_name(amendment.logical_id), value, emulator)
            digests[stack.name] = digest
        values = deployer.outputs()
        shimmed += [resource.filled(values) for resource in rewritten.shimmed]
        outputs |= {key: value for key, value in values.items() if _is_public(stack.template, key)}
        notes += rewritten.not_emulated
    call(f"{emulator_url}/_dropscore/save", root, {})
    digests_file.write_text(json.dumps(digests))
    return Deployment(outputs, tuple(shimmed), tuple(notes))


def _is_public(template: dict[str, Any], key: str) -> bool:
    """Whether the stack's code defines this output: the CDK adds exports between stacks, and `rewrite` adds values."""
    return key in template.get("Outputs", {}) and not key.startswith("ExportsOutput")


def images(assembly: Assembly) -> dict[str, dict[str, str]]:
    """Each image's build context, Dockerfile and interpreter, by tag. Creates missing Python environments."""
    found = {image.tag: image for stack in assembly.stacks for image in stack.images}
    return {
        tag: {
            "context": str(image.context),
            "dockerfile": image.dockerfile,
            "interpreter": str(python_environment(_requirements(image))),
        }
        for tag, image in found.items()
    }


def _requirements(image: ImageAsset) -> Path:
    """The image's requirements.txt; for our images the one in `containers/`, for readable environment names."""
    staged = (image.context / image.dockerfile).with_name("requirements.txt")
    if not staged.exists():
        return NO_REQUIREMENTS
    text = staged.read_text()
    for requirements in sorted(ROOT.glob("containers/*/requirements.txt")):
        if requirements.read_text() == text:
            return requirements
    if not _is_pinned(text):
        raise ConfigurationError(
            f"the container's requirements.txt ({staged}) must pin every package by version and hash, so that the "
            "embedded cloud runs the same code as the image; write it with `uv pip compile --universal "
            "--generate-hashes requirements.in -o requirements.txt`"
        )
    return staged


def _is_pinned(requirements: str) -> bool:
    lines = requirements.replace("\\\n", " ").splitlines()
    packages = [line for line in map(str.strip, lines) if line and not line.startswith(("#", "-"))]
    return all("==" in line and "--hash=" in line for line in packages)


def _publish(assets: dict[tuple[str, str], FileAsset], emulator: Emulator) -> None:
    s3 = emulator.client("s3")
    for bucket in {_resolved(bucket) for bucket, _ in assets}:
        s3.create_bucket(Bucket=bucket)
        held = {item["Key"] for page in _pages(s3, bucket) for item in page.get("Contents", [])}
        for (_, key), asset in assets.items():
            if key not in held and not asset.path.name.endswith(".template.json"):
                s3.put_object(
                    Bucket=bucket, Key=key, Body=_zip(asset.path) if asset.is_zip else asset.path.read_bytes()
                )


def _template_url(stack: SynthesizedStack, body: str, emulator: Emulator) -> str:
    """Upload the template and return its URL: CloudFormation accepts at most 51,200 bytes inline."""
    bucket, key = _resolved(stack.files[0].bucket), f"{hashlib.sha256(body.encode()).hexdigest()}.json"
    emulator.client("s3").put_object(Bucket=bucket, Key=key, Body=body.encode())
    return f"{emulator.url}/{bucket}/{key}"


def _pages(s3: Any, bucket: str) -> Iterable[dict[str, Any]]:
    return s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)  # type: ignore[no-any-return]


def _resolved(name: str) -> str:
    return name.replace("${AWS::AccountId}", ACCOUNT).replace("${AWS::Region}", REGION)


def _zip(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder))
    return buffer.getvalue()


def _amend(amendment: Amendment, name: str, value: dict[str, Any], emulator: Emulator) -> None:
    if amendment.type == "AWS::DynamoDB::Table":
        emulator.client("dynamodb").update_time_to_live(TableName=name, TimeToLiveSpecification=value)
    else:
        emulator.client("lambda").update_function_configuration(FunctionName=name, DeadLetterConfig=value)


@dataclass(frozen=True)
class _Stack:
    name: str
    cloudformation: Any

    GOOD: ClassVar = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE"})
    NOT_CREATED: ClassVar = frozenset({"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"})

    def status(self) -> str | None:
        described = self._described()
        return None if described is None else described["StackStatus"]

    def put(self, template_url: str) -> None:
        # CloudFormation cannot update a stack whose creation failed.
        if self.status() in self.NOT_CREATED:
            self.cloudformation.delete_stack(StackName=self.name)
            self._wait()
        act = self.cloudformation.create_stack if self._is_gone() else self.cloudformation.update_stack
        try:
            act(StackName=self.name, TemplateURL=template_url, Capabilities=["CAPABILITY_NAMED_IAM"])
        except ClientError as error:
            if "No updates are to be performed" not in str(error):  # a killed `up` had already deployed it
                raise
        if (status := self._wait()) not in self.GOOD:
            raise CloudError(f"{self.name} ended {status} in the emulator: {self._failures()}")

    def _is_gone(self) -> bool:
        return self.status() in {None, "DELETE_COMPLETE"}

    def _wait(self) -> str:
        deadline = time.monotonic() + DEPLOY_SECONDS
        while (status := self.status() or "").endswith("IN_PROGRESS") and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        return status

    def outputs(self) -> dict[str, str]:
        described = self._described() or {}
        return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}

    def physical_name(self, logical_id: str) -> str:
        described = self.cloudformation.describe_stack_resource(StackName=self.name, LogicalResourceId=logical_id)
        return str(described["StackResourceDetail"]["PhysicalResourceId"])

    def _described(self) -> dict[str, Any] | None:
        try:
            stacks = self.cloudformation.describe_stacks(StackName=self.name)["Stacks"]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        return stacks[0] if stacks else None

    def _failures(self) -> str:
        events = self.cloudformation.describe_stack_events(StackName=self.name)["StackEvents"]
        failed = [event for event in events if event["ResourceStatus"].endswith("FAILED")]
        return "; ".join(f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}" for event in failed)
