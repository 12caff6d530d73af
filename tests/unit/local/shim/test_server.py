"""Which requests the shim's server accepts."""

from __future__ import annotations

import http.client
import json
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.deployment.account import client
from tests.unit.local.conftest import KEYS, RunningShim, refused

SUBMISSION = {"jobName": "j", "jobQueue": "queue", "jobDefinition": "job", "shareIdentifier": "scoring"}


def ask(shim: RunningShim, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> tuple[int, str]:
    connection = http.client.HTTPConnection(urlsplit(shim.url).netloc, timeout=10)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, answer.headers.get("x-amzn-ErrorType", "")


def signed(shim: RunningShim, body: bytes, **keys: str) -> dict[str, str]:
    keys = {**KEYS, **keys}
    request = AWSRequest(method="POST", url=f"{shim.url}/v1/submitjob", data=body)
    SigV4Auth(Credentials(*keys.values()), "batch", "us-east-1").add_auth(request)
    return dict(request.headers)


def test_a_signed_request_is_accepted(shim: RunningShim) -> None:
    body = json.dumps(SUBMISSION).encode()
    assert ask(shim, "POST", "/v1/submitjob", signed(shim, body), body) == (200, "")


@pytest.mark.parametrize("path", ["/v1/submitjob", "/v1/registerjobdefinition", "/endpoints/Fraud/invocations", "/x"])
def test_an_unsigned_request_is_refused(shim: RunningShim, path: str) -> None:
    assert ask(shim, "POST", path, {}, b"{}") == (403, "MissingAuthenticationToken")


def test_a_refused_caller_is_told_that_the_connection_ends(shim: RunningShim) -> None:
    """Otherwise a client with a persistent connection would send its next request into a closing one."""
    with closing(http.client.HTTPConnection(urlsplit(shim.url).netloc, timeout=10)) as connection:
        connection.request("POST", "/v1/submitjob", b"{}")
        answer = connection.getresponse()
        answer.read()
        assert (answer.status, answer.headers["Connection"]) == (403, "close")
        assert connection.sock is None


@pytest.mark.parametrize("keys", [{"aws_secret_access_key": "test"}])
def test_a_forged_signature_is_refused(shim: RunningShim, keys: dict[str, str]) -> None:
    response = refused(lambda: client("batch", shim.url, **{**KEYS, **keys}).submit_job(**_submission()))
    assert response["Error"]["Code"] == "SignatureDoesNotMatch"


def _submission() -> Any:
    return SUBMISSION


@pytest.mark.parametrize(
    "more", [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"}, {"Host": "127.0.0.1"}]
)
def test_a_web_pages_request_is_refused(shim: RunningShim, more: dict[str, str]) -> None:
    body = json.dumps(SUBMISSION).encode()
    assert ask(shim, "POST", "/v1/submitjob", {**signed(shim, body), **more}, body) == (403, "AccessDenied")


def test_only_root_may_read_the_status(shim: RunningShim) -> None:
    assert ask(shim, "GET", "/_dropscore/status", {}) == (403, "MissingAuthenticationToken")
    request = AWSRequest(method="GET", url=f"{shim.url}/_dropscore/status")
    SigV4Auth(Credentials(*KEYS.values()), "batch", "us-east-1").add_auth(request)  # the stand-in treats it as a role
    assert ask(shim, "GET", "/_dropscore/status", dict(request.headers)) == (403, "AccessDeniedException")
