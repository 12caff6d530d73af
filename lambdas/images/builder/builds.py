"""Builds images with AWS CodeBuild while a stack waits. Only the registry decides whether an image exists."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from dropscore.log import log
from lambdas.images.builder.waiting import Waiting

VARIABLE = "WAITING_STACK"
"""The build's environment variable that names the waiting stack, so that no other state is needed."""
GOOD_STATUSES = {"SUCCEEDED", "IN_PROGRESS", None}
REASON_CHARACTERS = 300
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
"""The only manifest type that SageMaker accepts."""


class Builds:
    def __init__(self, codebuild: Any, ecr: Any) -> None:
        self._codebuild = codebuild
        self._ecr = ecr

    def begin(self, request: dict[str, Any]) -> None:
        """Handle a CloudFormation request: build the image unless it exists. Deletion is the repository's task."""
        waiting = Waiting.from_request(request)
        if request["RequestType"] == "Delete":
            waiting.respond()
            return
        try:
            manifest = self._manifest_type(waiting.image)
            if manifest is None:
                self._start(request["ResourceProperties"]["Project"], waiting)
        except (ClientError, BotoCoreError) as error:
            waiting.respond(
                f"the build of {waiting.image} did not start: {error}. If another build of this image is running, wait "
                "for it or stop it; then deploy again"
            )
        else:
            if manifest is not None:
                waiting.respond(_refused(waiting.image, manifest))

    def finish(self, build_id: str, status: str) -> None:
        """Report the build's result to its waiting stack; if no stack waits, only log it."""
        (build,) = self._codebuild.batch_get_builds(ids=[build_id])["builds"]
        variables = {variable["name"]: variable["value"] for variable in build["environment"]["environmentVariables"]}
        if VARIABLE not in variables:
            log("image_nobody_waits", build=build_id, status=status)
            return
        waiting = Waiting.parse(variables[VARIABLE])
        manifest = self._manifest_type(waiting.image)
        # The status is only for the message: another build may have pushed the same tag, which never moves.
        failure = _failure(waiting.image, status, build) if manifest is None else _refused(waiting.image, manifest)
        waiting.respond(failure)

    def _start(self, project: str, waiting: Waiting) -> None:
        build = self._codebuild.start_build(
            projectName=project,
            idempotencyToken=waiting.request_id,  # a request that arrives twice starts one build
            environmentVariablesOverride=[{"name": VARIABLE, "value": waiting.to_json(), "type": "PLAINTEXT"}],
        )["build"]
        log("image_build", image=waiting.image, stack=waiting.stack_id, build=build["id"])

    def _manifest_type(self, image: str) -> str | None:
        """The media type of the image's manifest; None if the registry does not have the image."""
        repository, _, tag = image.rpartition(":")
        try:
            found = self._ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])
        except self._ecr.exceptions.ImageNotFoundException:
            return None
        details = found["imageDetails"]  # the embedded cloud's registry returns an empty list
        return details[0].get("imageManifestMediaType", "of an unknown type") if details else None


def _refused(image: str, manifest: str) -> str | None:
    """Why SageMaker refuses the image, and what to do; None if it accepts it. Tags are immutable: delete it."""
    if manifest == DOCKER_MANIFEST:
        return None
    repository, _, tag = image.rpartition(":")
    return (
        f"the manifest of {image} is {manifest}; SageMaker accepts only {DOCKER_MANIFEST}. Delete the image (aws ecr "
        f"batch-delete-image --repository-name {repository} --image-ids imageTag={tag}), keep `--output "
        "type=docker,oci-mediatypes=false` in containers/buildspec.yml, and deploy again"
    )


def _failure(image: str, status: str, build: dict[str, Any]) -> str:
    """The reason that the stack's events show."""
    logs = build.get("logs", {})
    link = logs.get("deepLink") if logs.get("streamName") else None  # without a log stream the link does not work
    where = f"its log: {link}" if link else f"it has no log; see the build {build['id']}"
    ended = f"its build ended {status}{_phase(build.get('phases', []))}"
    return f"the registry has no image {image}: {ended}; fix the cause and deploy again; {where}"


def _phase(phases: Iterable[dict[str, Any]]) -> str:
    """The phase that failed, with CodeBuild's messages."""
    for phase in phases:
        if phase.get("phaseStatus") not in GOOD_STATUSES:
            reasons = "; ".join(entry["message"] for entry in phase.get("contexts", []) if entry.get("message"))
            return f" in phase {phase['phaseType']}: {reasons[:REASON_CHARACTERS]}"
    return ""
