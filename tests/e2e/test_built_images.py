"""`images = "codebuild"` in the embedded cloud: what would be built runs, and the function that has it built may."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from dropscore.jobs import State
from lambdas.builder.builds import VARIABLE
from lambdas.builder.waiting import Waiting
from local.cloud import Clock, throwaway
from tests.e2e.conftest import Hands

SETTINGS = Path(__file__).with_name("built_images.toml")
STACK = "dropscore-dev-images"
MANIFEST = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
    "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 2, "digest": "sha256:0"},
    "layers": [],
}


@dataclass(frozen=True)
class Images:
    """The stack of that name, and what it does for CloudFormation, which here leaves images out."""

    hands: Hands

    def client(self, service: str) -> Any:
        return self.hands.client(service)

    def name_of(self, kind: str, logical_id: str) -> str:
        """The physical name of the one resource of this type whose logical id starts so."""
        resources = self.client("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]
        of_kind = [each for each in resources if each["ResourceType"] == kind]
        found = [each["PhysicalResourceId"] for each in of_kind if each["LogicalResourceId"].startswith(logical_id)]
        assert len(found) == 1, [each["LogicalResourceId"] for each in of_kind]
        return str(found[0])

    def ask(self, url: str, tag: str) -> str:
        """Send a request as CloudFormation does; the repository's name."""
        repository = self.name_of("AWS::ECR::Repository", "Models")
        project = self.name_of("AWS::CodeBuild::Project", "LinearImage")
        request = {
            "RequestType": "Create",
            "ResponseURL": url,
            "StackId": STACK,
            "RequestId": tag,
            "LogicalResourceId": "LinearImage",
            "ResourceProperties": {"Project": project, "Repository": repository, "Tag": tag},
        }
        self._tell(project, Waiting.from_request(request))
        self._invoke(request)
        return repository

    def end(self, status: str) -> None:
        """Tell the function that the last build has ended, by an event that the deployed rule lets through."""
        project = self.name_of("AWS::CodeBuild::Project", "LinearImage")
        build = self.client("codebuild").list_builds_for_project(projectName=project)["ids"][0]
        event = {
            "id": "1",
            "account": "123456789012",
            "source": "aws.codebuild",
            "time": "2026-01-01T00:00:00Z",
            "region": "eu-west-1",
            "resources": [],
            "detail-type": "CodeBuild Build State Change",
            "detail": {
                "build-status": status,
                "project-name": project,
                "build-id": f"arn:aws:codebuild:::build/{build}",
            },
        }
        events = self.client("events")
        pattern = events.describe_rule(Name=self.name_of("AWS::Events::Rule", "Ended"))["EventPattern"]
        assert events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"]
        self._invoke(event)

    def _tell(self, project: str, waiting: Waiting) -> None:
        """The emulator forgets the variables that are given to one build, and knows its project's."""
        codebuild = self.client("codebuild")
        (known,) = codebuild.batch_get_projects(names=[project])["projects"]
        told = [{"name": VARIABLE, "value": waiting.written(), "type": "PLAINTEXT"}]
        codebuild.update_project(name=project, environment={**known["environment"], "environmentVariables": told})

    def _invoke(self, event: dict[str, Any]) -> None:
        name = self.name_of("AWS::Lambda::Function", "Build")
        answer = self.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
        assert "FunctionError" not in answer, answer["Payload"].read()


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Images]:
    environ = {**os.environ, "DROPSCORE_SETTINGS": str(SETTINGS)}
    with throwaway(tmp_path_factory.mktemp("built"), environ, print, Clock()) as running:
        deployed = Images(Hands(running))
        _let_it_see_builds(deployed)
        yield deployed


def _let_it_see_builds(images: Images) -> None:
    """AWS knows from a build's id which project's permission counts; the emulator wants one for every resource."""
    statement = {"Effect": "Allow", "Action": "codebuild:BatchGetBuilds", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role = images.name_of("AWS::IAM::Role", "BuildRole")
    images.client("iam").put_role_policy(RoleName=role, PolicyName="Emulator", PolicyDocument=document)


@pytest.fixture
def stack() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A stack that waits: the URL at which it does, and what it gets to hear."""
    answers: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            answers.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/answer", answers
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("key", "row"),
    [("input/rows.csv", b"0," * 29 + b"0\n"), ("input/linear/rows.csv", b"1,2,3,4\n")],
    ids=["ours", "somebody-else's"],
)
def test_what_would_be_built_scores(images: Images, key: str, row: bytes) -> None:
    job = images.hands.ended(images.hands.drop(key, row * 3))

    assert (job.status, job.rows_scored) == (State.SUCCEEDED, 3)


def test_it_is_said_that_no_image_is_built(images: Images) -> None:
    said = [note for note in images.hands.cloud.not_emulated if "Custom::ImageBuild" in note]

    assert sorted(note.split("/")[1].split("Image")[0] for note in said) == ["Linear", "Model", "Worker"]


def test_the_function_may_have_an_image_built_and_see_that_it_is_there(
    images: Images, stack: tuple[str, list[dict[str, Any]]]
) -> None:
    """Under its own role; a permission that is missing would make the answer FAILED, or there would be none."""
    url, answers = stack
    repository = images.ask(url, "Linear.1")
    assert answers == []

    images.client("ecr").put_image(repositoryName=repository, imageTag="Linear.1", imageManifest=json.dumps(MANIFEST))
    images.end("SUCCEEDED")
    images.ask(url, "Linear.1")

    assert [(each["Status"], each["PhysicalResourceId"]) for each in answers] == [
        ("SUCCESS", f"{repository}:Linear.1")
    ] * 2


def test_a_build_without_an_image_fails_the_stack(images: Images, stack: tuple[str, list[dict[str, Any]]]) -> None:
    url, answers = stack
    images.ask(url, "Linear.2")
    images.end("FAILED")

    assert [each["Status"] for each in answers] == ["FAILED"]
    assert "Linear.2: its build ended FAILED" in answers[0]["Reason"]
