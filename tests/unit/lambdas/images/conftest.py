"""Fixtures: a waiting stack as an HTTP server, and real CodeBuild and ECR clients with scripted responses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber

from lambdas.images.builder.builds import Builds

ONCE = Config(retries={"total_max_attempts": 1}, connect_timeout=2)


@dataclass
class Stack:
    """The responses that CloudFormation receives at its signed URL."""

    port: int = 0
    status: int = 200
    responses: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/waiting%3Astack?X-Amz-Signature=very-secret"


@pytest.fixture
def stack() -> Iterator[Stack]:
    stack = Stack()

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            stack.responses.append(json.loads(body))
            stack.sizes.append(len(body))
            stack.headers.append(dict(self.headers))
            self.send_response(stack.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        stack.port = server.server_address[1]
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield stack
        server.shutdown()
        thread.join()


@dataclass(frozen=True)
class Aws:
    """Real clients: requests are checked against AWS's models and must arrive in this order."""

    codebuild: Stubber
    ecr: Stubber

    @property
    def builds(self) -> Builds:
        return Builds(self.codebuild.client, self.ecr.client)


def client(service: str, endpoint_url: str | None = None) -> Any:
    keys = {"aws_access_key_id": "none", "aws_secret_access_key": "none"}
    return boto3.client(service, region_name="eu-west-1", config=ONCE, endpoint_url=endpoint_url, **keys)  # type: ignore[call-overload]


@pytest.fixture
def aws() -> Iterator[Aws]:
    with stubbed("codebuild") as codebuild, stubbed("ecr") as ecr:
        yield Aws(codebuild, ecr)


@contextmanager
def stubbed(service: str) -> Iterator[Stubber]:
    with Stubber(client(service)) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()
