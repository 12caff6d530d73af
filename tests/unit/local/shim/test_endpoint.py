"""The SageMaker runtime's REST API, called with boto3."""

from __future__ import annotations

import io
import sys
import tarfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.deployment.account import client
from local.shim.batch.attempt import ContainerHost
from local.shim.errors import AwsError, access_denied
from local.shim.image import Image
from local.shim.resources import Component
from local.shim.sagemaker import endpoint as endpoints
from local.shim.sagemaker.endpoint import REFUSED_ASLEEP, ModelServer, Reply
from tests.unit.local.conftest import KEYS, ROLE, RunningShim, StandIn, artifact, refused, resources, until


def invoke(shim: RunningShim, body: bytes, name: str = "Fraud") -> Any:
    runtime = client("sagemaker-runtime", shim.url, **KEYS)
    return runtime.invoke_endpoint(EndpointName=name, Body=body, ContentType="text/csv", Accept="text/csv")


def test_an_endpoint_forwards_requests_and_replies(shim: RunningShim) -> None:
    answer = invoke(shim, b"1,2\n")
    assert answer["Body"].read() == b"(['serve'], ['model.ubj'], 4)"
    assert (answer["ContentType"], answer["InvokedProductionVariant"]) == ("text/csv", "AllTraffic")


def test_custom_attributes_are_forwarded_both_ways(shim: RunningShim) -> None:
    runtime = client("sagemaker-runtime", shim.url, **KEYS)
    answer = runtime.invoke_endpoint(EndpointName="Fraud", Body=b"1", CustomAttributes="margin=true")
    assert answer["CustomAttributes"] == "received:margin=true"
    assert "CustomAttributes" not in invoke(shim, b"1")


@pytest.mark.parametrize(("body", "status", "side"), [(b"bad", 400, "client"), (b"broken", 500, "server")])
def test_a_refusal_of_the_model_is_a_model_error(shim: RunningShim, body: bytes, status: int, side: str) -> None:
    response = refused(lambda: invoke(shim, body))
    assert response["Error"]["Code"] == "ModelError"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert response["OriginalStatusCode"] == status
    assert response["OriginalMessage"] == '{"code": "BAD"}'
    assert response["LogStreamArn"].endswith("/aws/sagemaker/Endpoints/Fraud")
    message = f'Received {side} error ({status}) from primary with message "{{"code": "BAD"}}". See https://'
    assert response["Error"]["Message"].startswith(message)


def test_a_long_refusal_is_truncated(shim: RunningShim) -> None:
    error = shim.model._model_error(400, "x" * 5000)
    assert error.fields["OriginalMessage"] == "x" * 2048


def test_only_a_request_over_the_limit_is_refused(shim: RunningShim) -> None:
    assert invoke(shim, b"x" * 1000)["ResponseMetadata"]["HTTPStatusCode"] == 200
    response = refused(lambda: invoke(shim, b"x" * 1001))
    assert response["Error"] == {"Code": "413", "Message": "HTTP content length exceeded 1000 bytes."}


def test_unknown_endpoint_is_a_validation_error(shim: RunningShim) -> None:
    error = refused(lambda: invoke(shim, b"1", "Gone"))["Error"]
    assert error == {"Code": "ValidationError", "Message": "Endpoint Gone of account 000000000000 not found."}


def test_an_endpoint_checks_the_callers_permissions(shim: RunningShim, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shim.authority, "denied", {"sagemaker:InvokeEndpoint"})
    error = refused(lambda: invoke(shim, b"1"))["Error"]
    assert error["Code"] == "AccessDeniedException"
    assert "sagemaker:InvokeEndpoint on resource: arn:aws:sagemaker:::endpoint/fraud" in error["Message"]


def test_model_error_when_the_container_takes_too_long(shim: RunningShim, monkeypatch: pytest.MonkeyPatch) -> None:
    while not shim.model._idle.empty():
        shim.model._idle.get().close()
    monkeypatch.setattr(endpoints, "INVOKE_SECONDS", 0.2)
    response = refused(lambda: invoke(shim, b"slow"))
    assert (response["Error"]["Code"], response["OriginalStatusCode"]) == ("ModelError", 0)
    assert "Your invocation timed out" in response["OriginalMessage"]


@pytest.fixture(autouse=True)
def _only_fraud_stays(shim: RunningShim) -> Iterator[None]:
    yield
    for name in shim.endpoints.keys() - {"Fraud"}:
        shim.endpoints.pop(name)._close_idle()


def beside(shim: RunningShim, name: str, **changes: Any) -> ModelServer:
    """Another endpoint that uses the same process."""
    endpoint = replace(shim.model.endpoint, name=name, arn=f"arn:aws:sagemaker:::endpoint/{name}", **changes)
    server = ModelServer(endpoint, shim.model.image, shim.authority, shim.model.host, "InService")
    server._port = shim.model._port
    shim.endpoints[name] = server
    return server


def sleeping(shim: RunningShim, min_copies: int = 0) -> None:
    beside(shim, "night", component=Component("arn:aws:sagemaker:::inference-component/c", "c", min_copies))


def ask_component(shim: RunningShim, name: str | None = "c") -> Any:
    runtime = client("sagemaker-runtime", shim.url, **KEYS)
    named = {"InferenceComponentName": name} if name else {}
    return runtime.invoke_endpoint(EndpointName="night", Body=b"1", **named)["Body"].read()


def test_a_component_scaled_to_zero_refuses_its_first_requests(shim: RunningShim) -> None:
    sleeping(shim)
    for _ in range(REFUSED_ASLEEP):
        error = refused(lambda: ask_component(shim))["Error"]
        assert error["Code"] == "ValidationError"
        assert error["Message"].startswith("Inference Component has no capacity to process this request. ")
    assert ask_component(shim).endswith(b", 1)")


def test_a_component_with_a_copy_replies_immediately(shim: RunningShim) -> None:
    sleeping(shim, min_copies=1)
    assert ask_component(shim).endswith(b", 1)")


@pytest.mark.parametrize("name", [None, "other"])
def test_a_request_must_name_the_endpoints_component(shim: RunningShim, name: str | None) -> None:
    sleeping(shim, min_copies=1)
    error = refused(lambda: ask_component(shim, name))["Error"]
    assert error["Code"] == "ValidationError"
    assert f"night has the inference component c; the request names {name or 'none'}" in error["Message"]


def test_a_caller_must_be_allowed_to_invoke_the_component_too(
    shim: RunningShim, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeping(shim, min_copies=1)

    def only_the_endpoint(caller: str, action: str, resource: str) -> None:
        if "inference-component" in resource:
            raise access_denied(caller, action, resource, "implicitDeny")

    monkeypatch.setattr(shim.authority, "require", only_the_endpoint)
    error = refused(lambda: ask_component(shim))["Error"]
    assert error["Code"] == "AccessDeniedException"
    assert "inference-component/c" in error["Message"]


def test_a_serverless_endpoint_refuses_requests_over_its_concurrency(
    shim: RunningShim, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = beside(shim, "free", concurrency=1)
    entered, leave = threading.Event(), threading.Event()

    def slow(_body: bytes, _headers: Any) -> Reply:
        entered.set()
        leave.wait(10)
        return Reply(200, "text/csv", "", b"1")

    monkeypatch.setattr(server, "_invoked", slow)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(invoke, shim, b"1", "free")
        assert entered.wait(10)
        response = refused(lambda: invoke(shim, b"2", "free"))
        leave.set()
        assert first.result()["Body"].read() == b"1"
    assert response["Error"]["Code"] == "ThrottlingException"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert invoke(shim, b"3", "free")["Body"].read() == b"1"


def test_a_serverless_endpoint_accepts_requests_of_4_mib(shim: RunningShim) -> None:
    assert beside(shim, "free", concurrency=1).max_payload_bytes == 4_194_304
    assert shim.model.max_payload_bytes > 1 << 40


def test_a_models_process_is_restarted_when_it_dies(shim: RunningShim) -> None:
    assert refused(lambda: invoke(shim, b"die"))["ResponseMetadata"]["HTTPStatusCode"] == 503

    def is_up() -> bool:
        try:
            return bool(invoke(shim, b"1")["ContentType"])
        except ClientError:
            return False

    assert until(is_up, bool)


def test_the_artifact_is_downloaded_with_the_models_role(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("model.ubj")
        member.size = 3
        archive.addfile(member, io.BytesIO(b"abc"))
    calls: list[Any] = []

    class S3:
        def get_object(self, **request: Any) -> Any:
            calls.append(request)
            return {"Body": io.BytesIO(packed.getvalue())}

    def s3_client(_service: str, _url: str, **keys: str) -> S3:
        calls.append(keys)
        return S3()

    authority = StandIn()
    monkeypatch.setattr(endpoints, "client", s3_client)
    host = ContainerHost(emulator_url="http://127.0.0.1:1", shim_url="http://127.0.0.1:2", state=tmp_path)
    server = ModelServer(resources().endpoints["Fraud"], Image(("true",), tmp_path, {}), authority, host)

    unpacked = server._fetch(tmp_path / "home")

    assert authority.assumed == [(ROLE, "sagemaker.amazonaws.com")]
    assert calls[0]["aws_secret_access_key"] == "secret of Fraud"
    assert calls[1] == {"Bucket": "b", "Key": "model.tar.gz"}
    assert (unpacked / "model.ubj").read_bytes() == b"abc"
    assert (unpacked / "model.ubj").stat().st_mode & 0o777 == 0o444


@pytest.mark.parametrize(
    "error",
    [
        AwsError(403, "AccessDenied", "no s3:GetObject"),
        ClientError({"Error": {"Code": "AccessDenied", "Message": "no s3:GetObject"}}, "GetObject"),
    ],
)
def test_an_endpoint_fails_when_its_artifact_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def denied(_self: ModelServer, _home: Path) -> Path:
        raise error

    monkeypatch.setattr(ModelServer, "_fetch", denied)
    host = ContainerHost(emulator_url="", shim_url="", state=tmp_path)
    server = ModelServer(resources().endpoints["Fraud"], Image(("true",), tmp_path, {}), StandIn(), host)
    server.start()
    assert until(lambda: server.status, lambda status: status == "Failed")
    assert "no s3:GetObject" in server.failure


def test_endpoint_fails_when_its_process_ends_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ModelServer, "_fetch", lambda _self, home: artifact(home))
    host = ContainerHost(emulator_url="", shim_url="", state=tmp_path)
    image = Image((sys.executable, "-c", "raise SystemExit(4)"), tmp_path, {})
    server = ModelServer(resources().endpoints["Fraud"], image, StandIn(), host)
    server.start()
    assert until(lambda: server.status, lambda status: status == "Failed")
    assert "ended with exit code 4; see" in server.failure
