"""Images, built by AWS CodeBuild while a stack waits. The registry, and nothing else, says whether one is there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from dropscore.log import log
from lambdas.images.builder.waiting import Waiting

VARIABLE = "WAITING_STACK"
"""The build carries in it whom to tell of its end: nothing else has to remember."""
UNSUSPECTED = {"SUCCEEDED", "IN_PROGRESS", None}
SAID_CHARACTERS = 300
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
"""The one kind of manifest that SageMaker takes."""


class Builds:
    def __init__(self, codebuild: Any, ecr: Any) -> None:
        self._codebuild = codebuild
        self._ecr = ecr

    def begin(self, request: dict[str, Any]) -> None:
        """Do what CloudFormation asks: have the image built, unless it is there. Images go with their repository."""
        waiting = Waiting.from_request(request)
        if request["RequestType"] == "Delete":
            waiting.tell()
            return
        try:
            manifest = self._manifest_type(waiting.image)
            if manifest is None:
                self._start(request["ResourceProperties"]["Project"], waiting)
        except (ClientError, BotoCoreError) as error:
            waiting.tell(
                f"the build of {waiting.image} did not start: {error}. If another build of it is still running, wait "
                "for its end or stop it; then deploy again"
            )
        else:
            if manifest is not None:
                waiting.tell(_refused(waiting.image, manifest))

    def finish(self, build_id: str, status: str) -> None:
        """Tell the stack that waits how the build ended; of a build that nobody waits for, only the log."""
        (build,) = self._codebuild.batch_get_builds(ids=[build_id])["builds"]
        variables = {each["name"]: each["value"] for each in build["environment"]["environmentVariables"]}
        if VARIABLE not in variables:
            log("image_nobody_waits", build=build_id, status=status)
            return
        waiting = Waiting.parse(variables[VARIABLE])
        manifest = self._manifest_type(waiting.image)
        failure = _failure(waiting.image, status, build) if manifest is None else _refused(waiting.image, manifest)
        waiting.tell(failure)

    def _start(self, project: str, waiting: Waiting) -> None:
        build = self._codebuild.start_build(
            projectName=project,
            idempotencyToken=waiting.request_id,  # a request that is delivered twice starts one build
            environmentVariablesOverride=[{"name": VARIABLE, "value": waiting.written(), "type": "PLAINTEXT"}],
        )["build"]
        log("image_build", image=waiting.image, stack=waiting.stack_id, build=build["id"])

    def _manifest_type(self, image: str) -> str | None:
        """The media type of the image's manifest; None if the registry has no such image."""
        repository, _, tag = image.rpartition(":")
        try:
            found = self._ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])
        except self._ecr.exceptions.ImageNotFoundException:
            return None
        details = found["imageDetails"]  # the embedded cloud's registry answers with none
        return details[0].get("imageManifestMediaType", "of an unknown type") if details else None


def _refused(image: str, manifest: str) -> str | None:
    """Why SageMaker would refuse the image, and what to do; None if it would not. Tags are immutable: delete it."""
    if manifest == DOCKER_MANIFEST:
        return None
    repository, _, tag = image.rpartition(":")
    return (
        f"the manifest of {image} is {manifest}; SageMaker takes {DOCKER_MANIFEST} only. Delete the image (aws ecr "
        f"batch-delete-image --repository-name {repository} --image-ids imageTag={tag}), keep `--output "
        "type=docker,oci-mediatypes=false` in containers/buildspec.yml, and deploy again"
    )


def _failure(image: str, status: str, build: dict[str, Any]) -> str:
    """What ends up in the stack's events."""
    logs = build.get("logs", {})
    link = logs.get("deepLink") if logs.get("streamName") else None  # before a log is there, the link leads nowhere
    where = f"its log: {link}" if link else f"it has no log; look at the build {build['id']}"
    ended = f"its build ended {status}{_phase(build.get('phases', []))}"
    return f"the registry holds no {image}: {ended}; mend the cause and deploy again; {where}"


def _phase(phases: Iterable[dict[str, Any]]) -> str:
    """The phase that did not succeed, with what CodeBuild says of it."""
    for phase in phases:
        if phase.get("phaseStatus") not in UNSUSPECTED:
            said = "; ".join(each["message"] for each in phase.get("contexts", []) if each.get("message"))
            return f" in phase {phase['phaseType']}: {said[:SAID_CHARACTERS]}"
    return ""
