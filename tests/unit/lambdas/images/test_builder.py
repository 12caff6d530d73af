from __future__ import annotations

import json
import urllib.error
from typing import Any
from unittest.mock import ANY

import pytest

from lambdas.images.builder import handler as doorway
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


def request(stack: Stack, kind: str = "Create", **more: object) -> dict[str, Any]:
    return {
        "RequestType": kind,
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


def answer(status: str, reason: object = "", image: str = IMAGE) -> dict[str, Any]:
    return {
        "Status": status,
        "Reason": reason,
        "PhysicalResourceId": image,
        "StackId": STACK_ID,
        "RequestId": REQUEST_ID,
        "LogicalResourceId": "FraudImage",
    }


def registry(aws: Aws, *, has_it: bool, manifest: str = DOCKER_MANIFEST) -> None:
    asked = {"repositoryName": REPOSITORY, "imageIds": [{"imageTag": TAG}]}
    if has_it:
        details = [{"imageTags": [TAG], "imageManifestMediaType": manifest}]
        aws.ecr.add_response("describe_images", {"imageDetails": details}, asked)
    else:
        aws.ecr.add_client_error("describe_images", "ImageNotFoundException", "no such image", expected_params=asked)


def started(aws: Aws, stack: Stack) -> None:
    asked = {
        "projectName": "FraudProject-A1",
        "idempotencyToken": REQUEST_ID,
        "environmentVariablesOverride": [{"name": VARIABLE, "value": waiting(stack).written(), "type": "PLAINTEXT"}],
    }
    aws.codebuild.add_response("start_build", {"build": {"id": BUILD_ID}}, asked)


def described(aws: Aws, stack: Stack | None, **build: object) -> None:
    """What CodeBuild says of the build: by default that its log can be read, and which stack waits for it."""
    told = [{"name": VARIABLE, "value": waiting(stack).written(), "type": "PLAINTEXT"}] if stack else []
    variables = [{"name": "IMAGE", "value": "uri", "type": "PLAINTEXT"}, *told]
    environment = {"type": "a", "image": "b", "computeType": "c", "environmentVariables": variables}
    seen = {"id": BUILD_ID, "environment": environment, "logs": {"streamName": "1", "deepLink": LOG}, **build}
    aws.codebuild.add_response("batch_get_builds", {"builds": [seen]}, {"ids": [BUILD_ID]})


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_a_missing_image_is_built_and_the_stack_left_waiting(aws: Aws, stack: Stack, kind: str) -> None:
    registry(aws, has_it=False)
    started(aws, stack)

    aws.builds.begin(request(stack, kind))

    assert stack.answers == []


def test_a_registry_that_lists_no_such_image_has_none(aws: Aws, stack: Stack) -> None:
    """As the embedded cloud says it; Amazon ECR says it by an error."""
    aws.ecr.add_response("describe_images", {"imageDetails": []})
    started(aws, stack)

    aws.builds.begin(request(stack))

    assert stack.answers == []


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_an_image_that_is_there_is_not_built_again(aws: Aws, stack: Stack, kind: str) -> None:
    """Tags never move, so it is this image: after a rollback, or a deployment that was broken off."""
    registry(aws, has_it=True)

    aws.builds.begin(request(stack, kind))

    assert stack.answers == [answer("SUCCESS")]


@pytest.mark.parametrize("manifest", OTHER_MANIFESTS)
def test_an_image_sagemaker_refuses_fails_the_stack(aws: Aws, stack: Stack, manifest: str) -> None:
    """Found there, or just built: CreateModel would fail minutes later, with words that name no cause."""
    registry(aws, has_it=True, manifest=manifest)
    aws.builds.begin(request(stack))
    described(aws, stack)
    registry(aws, has_it=True, manifest=manifest)
    aws.builds.finish(BUILD_ID, "SUCCEEDED")

    assert stack.answers == [answer("FAILED", ANY)] * 2
    for told in stack.answers:
        assert told["Reason"].startswith(f"the manifest of {IMAGE} is {manifest}; SageMaker takes {DOCKER_MANIFEST}")
        assert f"--repository-name {REPOSITORY} --image-ids imageTag={TAG}" in told["Reason"]
        assert told["Reason"].endswith("and deploy again")


@pytest.mark.parametrize("known_as", [IMAGE, "what-CloudFormation-called-it-when-nobody-answered"])
def test_deleting_asks_nothing_of_aws_and_never_fails(aws: Aws, stack: Stack, known_as: str) -> None:
    aws.builds.begin(request(stack, "Delete", PhysicalResourceId=known_as))

    assert stack.answers == [answer("SUCCESS", image=known_as)]


def test_a_request_that_comes_twice_asks_for_one_and_the_same_build(aws: Aws, stack: Stack) -> None:
    for _ in range(2):
        registry(aws, has_it=False)
        started(aws, stack)

        aws.builds.begin(request(stack))

    assert stack.answers == []


def test_a_build_that_codebuild_refuses_fails_the_stack_with_its_words(aws: Aws, stack: Stack) -> None:
    registry(aws, has_it=False)
    aws.codebuild.add_client_error("start_build", "AccountLimitExceededException", "1 build is running")

    aws.builds.begin(request(stack))

    (told,) = stack.answers
    assert told == answer("FAILED", ANY)
    assert "1 build is running" in told["Reason"]
    assert told["Reason"].endswith("wait for its end or stop it; then deploy again")


def test_a_repository_that_is_gone_fails_the_stack(aws: Aws, stack: Stack) -> None:
    aws.ecr.add_client_error("describe_images", "RepositoryNotFoundException", "no repository")

    aws.builds.begin(request(stack))

    assert stack.answers == [answer("FAILED", ANY)]
    assert "no repository" in stack.answers[0]["Reason"]


def test_a_service_out_of_reach_fails_the_stack_instead_of_keeping_it_waiting(stack: Stack) -> None:
    nowhere = "http://127.0.0.1:9"

    Builds(client("codebuild", nowhere), client("ecr", nowhere)).begin(request(stack))

    assert stack.answers == [answer("FAILED", ANY)]
    assert "Could not connect" in stack.answers[0]["Reason"]


def test_a_build_that_succeeded_lets_the_stack_go_on(aws: Aws, stack: Stack) -> None:
    described(aws, stack)
    registry(aws, has_it=True)

    aws.builds.finish(BUILD_ID, "SUCCEEDED")

    assert stack.answers == [answer("SUCCESS")]


@pytest.mark.parametrize("status", ["FAILED", "FAULT", "STOPPED", "TIMED_OUT"])
def test_a_build_that_ends_otherwise_fails_the_stack_with_its_phase_and_its_log(
    aws: Aws, stack: Stack, status: str
) -> None:
    phases = [
        {"phaseType": "PROVISIONING", "phaseStatus": "SUCCEEDED"},
        {"phaseType": "BUILD", "phaseStatus": status, "contexts": [{"statusCode": "X", "message": FAILED_COMMAND}]},
        {"phaseType": "COMPLETED"},
    ]
    described(aws, stack, phases=phases)
    registry(aws, has_it=False)

    aws.builds.finish(BUILD_ID, status)

    said = f"the registry holds no {IMAGE}: its build ended {status} in phase BUILD: {FAILED_COMMAND}; "
    assert stack.answers == [answer("FAILED", f"{said}mend the cause and deploy again; its log: {LOG}")]


@pytest.mark.parametrize("logs", [{"deepLink": f"{LOG}null"}, {"streamName": "1"}, {}])
def test_a_build_without_a_log_is_named_by_its_id(aws: Aws, stack: Stack, logs: dict[str, str]) -> None:
    described(aws, stack, logs=logs)
    registry(aws, has_it=False)

    aws.builds.finish(BUILD_ID, "FAULT")

    assert stack.answers[0]["Reason"].endswith(f"it has no log; look at the build {BUILD_ID}")


def test_a_build_that_failed_over_an_image_that_is_there_does_not_fail_the_stack(aws: Aws, stack: Stack) -> None:
    """Two builds of one image: the second cannot push, and need not."""
    described(aws, stack)
    registry(aws, has_it=True)

    aws.builds.finish(BUILD_ID, "FAILED")

    assert stack.answers == [answer("SUCCESS")]


def test_a_build_that_succeeded_without_an_image_fails_the_stack(aws: Aws, stack: Stack) -> None:
    described(aws, stack)
    registry(aws, has_it=False)

    aws.builds.finish(BUILD_ID, "SUCCEEDED")

    assert stack.answers == [answer("FAILED", ANY)]
    assert stack.answers[0]["Reason"].startswith(f"the registry holds no {IMAGE}: its build ended SUCCEEDED; ")


def test_an_event_that_comes_twice_gives_the_same_answer_twice(aws: Aws, stack: Stack) -> None:
    for _ in range(2):
        described(aws, stack)
        registry(aws, has_it=True)

        aws.builds.finish(BUILD_ID, "SUCCEEDED")

    assert stack.answers == [answer("SUCCESS")] * 2


def test_a_build_that_somebody_started_by_hand_tells_nobody(aws: Aws, stack: Stack) -> None:
    described(aws, None)

    aws.builds.finish(BUILD_ID, "FAILED")

    assert stack.answers == []


def test_a_stack_that_waits_no_longer_is_no_error(aws: Aws, stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.status = 403
    described(aws, stack)
    registry(aws, has_it=True)

    aws.builds.finish(BUILD_ID, "SUCCEEDED")

    assert json.loads(capsys.readouterr().out.splitlines()[-1])["event"] == "image_nobody_waits"


def test_an_answer_that_did_not_get_through_is_an_error_and_so_tried_again(aws: Aws, stack: Stack) -> None:
    stack.status = 503
    described(aws, stack)
    registry(aws, has_it=True)

    with pytest.raises(urllib.error.HTTPError, match="503"):
        aws.builds.finish(BUILD_ID, "SUCCEEDED")


def test_the_answer_goes_out_as_the_url_was_signed(aws: Aws, stack: Stack) -> None:
    aws.builds.begin(request(stack, "Delete", PhysicalResourceId=IMAGE))

    assert stack.headers[0]["Content-Type"] == ""


def test_no_answer_is_longer_than_cloudformation_takes(stack: Stack) -> None:
    waiting(stack).tell("\N{SNOWMAN}" * 5000)

    assert stack.answers[0]["Status"] == "FAILED"
    assert stack.sizes[0] <= 4096


def test_what_codebuild_says_leaves_room_for_the_link(aws: Aws, stack: Stack) -> None:
    contexts = [{"statusCode": "X", "message": "long " * 1000}]
    described(aws, stack, phases=[{"phaseType": "BUILD", "phaseStatus": "FAILED", "contexts": contexts}])
    registry(aws, has_it=False)

    aws.builds.finish(BUILD_ID, "FAILED")

    assert stack.answers[0]["Reason"].endswith(LOG)


def test_the_signed_url_is_in_no_log(aws: Aws, stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever has it can answer in our place."""
    registry(aws, has_it=False)
    started(aws, stack)
    aws.builds.begin(request(stack))
    described(aws, stack)
    registry(aws, has_it=False)
    aws.builds.finish(BUILD_ID, "FAILED")

    lines = capsys.readouterr().out
    assert [json.loads(line)["event"] for line in lines.splitlines()] == ["image_build", "image"]
    assert "very-secret" not in lines


def test_the_doorway_tells_requests_from_events(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[object, ...]] = []

    class Recorder:
        def begin(self, asked: dict[str, Any]) -> None:
            calls.append(("begin", asked))

        def finish(self, build_id: str, status: str) -> None:
            calls.append(("finish", build_id, status))

    monkeypatch.setattr(doorway, "_builds", Recorder)
    asked = {"RequestType": "Create"}
    arn = f"arn:aws:codebuild:eu-west-1:123456789012:build/{BUILD_ID}"
    doorway.handler(asked, None)
    doorway.handler({"detail": {"build-id": arn, "build-status": "STOPPED"}}, None)

    assert calls == [("begin", asked), ("finish", BUILD_ID, "STOPPED")]
