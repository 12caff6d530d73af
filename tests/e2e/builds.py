"""Calls the images stack as CloudFormation does, with a server that receives the answer for a waiting stack."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

from lambdas.images.builder.builds import VARIABLE
from lambdas.images.builder.waiting import Waiting
from tests.e2e.conftest import Driver

STACK = "dropscore-dev-images"


@dataclass(frozen=True)
class Images:
    """The images stack of the embedded cloud, called in CloudFormation's place."""

    driver: Driver
    project: str = "LinearImage"
    """The logical id of the requested project, or its beginning."""

    def client(self, service: str) -> Any:
        return self.driver.client(service)

    def name_of(self, resource_type: str, logical_id: str) -> str:
        """The physical name of the only resource of this type whose logical id starts with `logical_id`."""
        resources = self.client("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]
        of_type = [each for each in resources if each["ResourceType"] == resource_type]
        found = [each["PhysicalResourceId"] for each in of_type if each["LogicalResourceId"].startswith(logical_id)]
        assert len(found) == 1, [each["LogicalResourceId"] for each in of_type]
        return str(found[0])

    def ask(self, url: str, tag: str) -> str:
        """Sends a request as CloudFormation does. Returns the repository's name."""
        repository = self.name_of("AWS::ECR::Repository", "Models")
        project = self.name_of("AWS::CodeBuild::Project", self.project)
        request = {
            "RequestType": "Create",
            "ResponseURL": url,
            "StackId": STACK,
            "RequestId": tag,
            "LogicalResourceId": self.project,
            "ResourceProperties": {"Project": project, "Repository": repository, "Tag": tag},
        }
        self._set_build_variables(project, Waiting.from_request(request))
        self._invoke(request)
        return repository

    def end(self, status: str) -> None:
        """Reports the end of the last build to the function, with an event that matches the deployed rule."""
        project = self.name_of("AWS::CodeBuild::Project", self.project)
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

    def _set_build_variables(self, project: str, waiting: Waiting) -> None:
        """Sets the variables on the project: the emulator ignores the variables of a single build."""
        codebuild = self.client("codebuild")
        (project_settings,) = codebuild.batch_get_projects(names=[project])["projects"]
        variables = [{"name": VARIABLE, "value": waiting.to_json(), "type": "PLAINTEXT"}]
        codebuild.update_project(
            name=project, environment={**project_settings["environment"], "environmentVariables": variables}
        )

    def _invoke(self, event: dict[str, Any]) -> None:
        name = self.name_of("AWS::Lambda::Function", "Build")
        answer = self.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
        assert "FunctionError" not in answer, answer["Payload"].read()


def let_it_see_builds(images: Images) -> None:
    """Allows describing all builds: AWS checks the build's project, but the emulator checks for every resource."""
    statement = {"Effect": "Allow", "Action": "codebuild:BatchGetBuilds", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role = images.name_of("AWS::IAM::Role", "BuildRole")
    images.client("iam").put_role_policy(RoleName=role, PolicyName="Emulator", PolicyDocument=document)


@contextmanager
def waiting_stack() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A stack that waits: its response URL, and the answers that it receives."""
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
        try:
            yield f"http://127.0.0.1:{server.server_port}/answer", answers
        finally:
            server.shutdown()
            thread.join()
