from __future__ import annotations

import json
import urllib.error
from typing import Any
from unittest.mock import ANY

import pytest

from lambdas.images.builder import handler
from lambdas.images.builder.builds import DOCKER_MANIFEST, VARIABLE, Builds
from lambdas.images.builder.waiting import Waiting
from tests.unit.lambdas.images.conftest import Aws, Stack, client

REPOSITORY, TAG = "dropscore-dev-images-models-x1", f"Fraud.{'0123456789abcdef' * 4}"
IMAGE = f"{REPOSITORY}:{TAG}"
REQUEST_ID = "5a1bb0ac-5b6a-4d5f-a3ae-2f0c1d6b3f77"
STACK_ID = "arn:aws:cloudformation:eu-west-1:123456789012:stack/dropscore-dev-images/1"
BUILD_ID = "FraudProject-A1:0c6f3a52-7b5a-4d0a-9a53-b4c3d1f7f1aa"
LOG = "https://console.aws.amazon.com/cloudwatch/home?region=eu-west-1#logsV2:log-groups/log-group/Builds"
FAILED_COMMAND = "Error while executing command: docker build . Reason: exit status 1"

OTHER_MANIFESTS = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
]


def request(stack: Stack, request_type: str = "Create", **more: object) -> dict[str, Any]:
    return {
        "RequestType": request_type,
        "ResponseURL": stack.url,
        "StackId": STACK_ID,
        "RequestId": REQUEST_ID,
        "ResourceType": "Custom::ImageBuild",
        "LogicalResourceId": "FraudImage",
        "ResourceProperties": {
            "ServiceToken": "arn",
            "Project": "FraudProject-A1",
            "Repository": REPOSITORY,
            "Tag": TAG,
        },
        **more,
    }


def waiting(stack: Stack) -> Waiting:
    return Waiting(stack.url, STACK_ID, REQUEST_ID, "FraudImage", IMAGE)


def response(status: str, reason: object = "", image: str = IMAGE) -> dict[str, Any]:
    return {
        "Status": status,
        "Reason": reason,
        "PhysicalResourceId": image,
        "StackId": STACK_ID,
        "RequestId": REQUEST_ID,
        "LogicalResourceId": "FraudImage",
    }


def registry(aws: Aws, *, has_it: bool, manifest: str = DOCKER_MANIFEST) -> None:
    expected = {"repositoryName": REPOSITORY, "imageIds": [{"imageTag": TAG}]}
    if has_it:
        details = [{"imageTags": [TAG], "imageManifestMediaType": manifest}]
        aws.ecr.add_response("describe_images", {"imageDetails": details}, expected)
    else:
        aws.ecr.add_client_error("describe_images", "ImageNotFoundException", "no such image", expected_params=expected)


def started(aws: Aws, stack: Stack) -> None:
    expected = {
        "projectName": "FraudProject-A1",
        "idempotencyToken": REQUEST_ID,
        "environmentVariablesOverride": [{"name": VARIABLE, "value": waiting(stack).to_json(), "type": "PLAINTEXT"}],
    }
    aws.codebuild.add_response("start_build", {"build": {"id": BUILD_ID}}, expected)


def described(aws: Aws, stack: Stack | None, **build: object) -> None:
    """CodeBuild's description of the build: by default with a log and a waiting stack."""
    waiting_variable = [{"name": VARIABLE, "value": waiting(stack).to_json(), "type": "PLAINTEXT"}] if stack else []
    variables = [{"name": "IMAGE", "value": "uri", "type": "PLAINTEXT"}, *waiting_variable]
    environment = {"type": "a", "image": "b", "computeType": "c", "environmentVariables": variables}
    seen = {"id": BUILD_ID, "environment": environment, "logs": {"streamName": "1", "deepLink": LOG}, **build}
    aws.codebuild.add_response("batch_get_builds", {"builds": [seen]}, {"ids": [BUILD_ID]})


@pytest.mark.parametrize("request_type", ["Create", "Update"])
def test_a_missing_image_is_built_while_the_stack_waits(aws: Aws, stack: Stack, request_type: str) -> None:
    registry(aws, has_it=False)
    started(aws, stack)

    aws.builds.begin(request(stack, request_type))

    assert stack.responses == []


def test_an_empty_image_list_means_no_image(aws: Aws, stack: Stack) -> None:
    """The embedded cloud returns an empty list; Amazon ECR returns an error."""
    aws.ecr.add_response("describe_images", {"imageDetails": []})
    started(aws, stack)

    aws.builds.begin(request(stack))

    assert stack.responses == []


@pytest.mark.parametrize("request_type", ["Create", "Update"])
def test_an_existing_image_is_not_built_again(aws: Aws, stack: Stack, request_type: str) -> None:
    """Tags are immutable, so the image is the same, for example after a rollback."""
    registry(aws, has_it=True)

    aws.builds.begin(request(stack, request_type))

    assert stack.responses == [response("SUCCESS")]


@pytest.mark.parametrize("manifest", OTHER_MANIFESTS)
def test_an_image_sagemaker_refuses_fails_the_stack(aws: Aws, stack: Stack, manifest: str) -> None:
    """For existing and new images: CreateModel would fail minutes later without naming the cause."""
    registry(aws, has_it=True, manifest=manifest)
    aws.builds.begin(request(stack))
    described(aws, stack)
    registry(aws, has_it=True, manifest=manifest)
    aws.builds.finish(BUILD_ID, "SUCCEEDED")

    assert stack.responses == [response("FAILED", ANY)] * 2
    for sent in stack.responses:
        assert sent["Reason"].startswith(
            f"the manifest of {IMAGE} is {manifest}; SageMaker accepts only {DOCKER_MANIFEST}"
        )
        assert f"--repository-name {REPOSITORY} --image-ids imageTag={TAG}" in sent["Reason"]
        assert sent["Reason"].endswith("and deploy again")


@pytest.mark.parametrize("physical_id", [IMAGE, "what-CloudFormation-generated-without-a-response"])
def test_deletion_succeeds_without_calling_aws(aws: Aws, stack: Stack, physical_id: str) -> None:
    aws.builds.begin(request(stack, "Delete", PhysicalResourceId=physical_id))

    assert stack.responses == [response("SUCCESS", image=physical_id)]


def test_a_repeated_request_starts_one_build(aws: Aws, stack: Stack) -> None:
    for _ in range(2):
        registry(aws, has_it=False)
        started(aws, stack)

        aws.builds.begin(request(stack))

    assert stack.responses == []


def test_a_refused_build_fails_the_stack_with_the_reason(aws: Aws, stack: Stack) -> None:
    registry(aws, has_it=False)
    aws.codebuild.add_client_error("start_build", "AccountLimitExceededException", "1 build is running")

    aws.builds.begin(request(stack))

    (sent,) = stack.responses
    assert sent == response("FAILED", ANY)
    assert "1 build is running" in sent["Reason"]
    assert sent["Reason"].endswith("wait for it or stop it; then deploy again")


def test_a_missing_repository_fails_the_stack(aws: Aws, stack: Stack) -> None:
    aws.ecr.add_client_error("describe_images", "RepositoryNotFoundException", "no repository")

    aws.builds.begin(request(stack))

    assert stack.responses == [response("FAILED", ANY)]
    assert "no repository" in stack.responses[0]["Reason"]


def test_an_unreachable_service_fails_the_stack(stack: Stack) -> None:
    nowhere = "http://127.0.0.1:9"

    Builds(client("codebuild", nowhere), client("ecr", nowhere)).begin(request(stack))

    assert stack.responses == [response("FAILED", ANY)]
    assert "Could not connect" in stack.responses[0]["Reason"]


def test_a_successful_build_continues_the_stack(aws: Aws, stack: Stack) -> None:
    described(aws, stack)
    registry(aws, has_it=True)

    aws.builds.finish(BUILD_ID, "SUCCEEDED")

    assert stack.responses == [response("SUCCESS")]


@pytest.mark.parametrize("status", ["FAILED", "FAULT", "STOPPED", "TIMED_OUT"])
def test_a_failed_build_fails_the_stack_with_phase_and_log(aws: Aws, stack: Stack, status: str) -> None:
    phases = [
        {"phaseType": "PROVISIONING", "phaseStatus": "SUCCEEDED"},
        {"phaseType": "BUILD", "phaseStatus": status, "contexts": [{"statusCode": "X", "message": FAILED_COMMAND}]},
        {"phaseType": "COMPLETED"},
    ]
    described(aws, stack, phases=phases)
    registry(aws, has_it=False)

    aws.builds.finish(BUILD_ID, status)

    reason = f"the registry has no image {IMAGE}: its build ended {status} in phase BUILD: {FAILED_COMMAND}; "
    assert stack.responses == [response("FAILED", f"{reason}fix the cause and deploy again; its log: {LOG}")]


@pytest.mark.parametrize("logs", [{"deepLink": f"{LOG}null"}, {"streamName": "1"}, {}])
def test_a_build_without_a_log_is_identified_by_id(aws: Aws, stack: Stack, logs: dict[str, str]) -> None:
    described(aws, stack, logs=logs)
    registry(aws, has_it=False)

    aws.builds.finish(BUILD_ID, "FAULT")

    assert stack.responses[0]["Reason"].endswith(f"it has no log; see the build {BUILD_ID}")


def test_a_failed_build_of_an_existing_image_succeeds(aws: Aws, stack: Stack) -> None:
    """With two builds of one image, the second cannot push, and does not need to."""
    described(aws, stack)
    registry(aws, has_it=True)

    aws.builds.finish(BUILD_ID, "FAILED")

    assert stack.responses == [response("SUCCESS")]


def test_a_build_without_an_image_fails_the_stack(aws: Aws, stack: Stack) -> None:
    described(aws, stack)
    registry(aws, has_it=False)

    aws.builds.finish(BUILD_ID, "SUCCEEDED")

    assert stack.responses == [response("FAILED", ANY)]
    assert stack.responses[0]["Reason"].startswith(f"the registry has no image {IMAGE}: its build ended SUCCEEDED; ")


def test_a_repeated_event_gives_the_same_response(aws: Aws, stack: Stack) -> None:
    for _ in range(2):
        described(aws, stack)
        registry(aws, has_it=True)

        aws.builds.finish(BUILD_ID, "SUCCEEDED")

    assert stack.responses == [response("SUCCESS")] * 2


def test_a_manually_started_build_sends_no_response(aws: Aws, stack: Stack) -> None:
    described(aws, None)

    aws.builds.finish(BUILD_ID, "FAILED")

    assert stack.responses == []


def test_a_late_response_is_not_an_error(aws: Aws, stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.status = 403
    described(aws, stack)
    registry(aws, has_it=True)

    aws.builds.finish(BUILD_ID, "SUCCEEDED")

    assert json.loads(capsys.readouterr().out.splitlines()[-1])["event"] == "image_nobody_waits"


def test_a_failed_response_raises_so_it_is_retried(aws: Aws, stack: Stack) -> None:
    stack.status = 503
    described(aws, stack)
    registry(aws, has_it=True)

    with pytest.raises(urllib.error.HTTPError, match="503"):
        aws.builds.finish(BUILD_ID, "SUCCEEDED")


def test_the_response_has_the_signed_content_type(aws: Aws, stack: Stack) -> None:
    aws.builds.begin(request(stack, "Delete", PhysicalResourceId=IMAGE))

    assert stack.headers[0]["Content-Type"] == ""


def test_responses_fit_into_cloudformations_limit(stack: Stack) -> None:
    waiting(stack).respond("\N{SNOWMAN}" * 5000)

    assert stack.responses[0]["Status"] == "FAILED"
    assert stack.sizes[0] <= 4096


def test_long_build_messages_leave_room_for_the_link(aws: Aws, stack: Stack) -> None:
    contexts = [{"statusCode": "X", "message": "long " * 1000}]
    described(aws, stack, phases=[{"phaseType": "BUILD", "phaseStatus": "FAILED", "contexts": contexts}])
    registry(aws, has_it=False)

    aws.builds.finish(BUILD_ID, "FAILED")

    assert stack.responses[0]["Reason"].endswith(LOG)


def test_the_signed_url_is_in_no_log(aws: Aws, stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    """Anyone with the URL can send a response."""
    registry(aws, has_it=False)
    started(aws, stack)
    aws.builds.begin(request(stack))
    described(aws, stack)
    registry(aws, has_it=False)
    aws.builds.finish(BUILD_ID, "FAILED")

    lines = capsys.readouterr().out
    assert [json.loads(line)["event"] for line in lines.splitlines()] == ["image_build", "image"]
    assert "very-secret" not in lines


def test_the_handler_distinguishes_requests_from_events(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[object, ...]] = []

    class Recorder:
        def begin(self, expected: dict[str, Any]) -> None:
            calls.append(("begin", expected))

        def finish(self, build_id: str, status: str) -> None:
            calls.append(("finish", build_id, status))

    monkeypatch.setattr(handler, "_builds", Recorder)
    expected = {"RequestType": "Create"}
    arn = f"arn:aws:codebuild:eu-west-1:123456789012:build/{BUILD_ID}"
    handler.handler(expected, None)
    handler.handler({"detail": {"build-id": arn, "build-status": "STOPPED"}}, None)

    assert calls == [("begin", expected), ("finish", BUILD_ID, "STOPPED")]
