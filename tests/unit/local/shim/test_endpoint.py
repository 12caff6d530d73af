"""The SageMaker runtime's REST as boto3 sees it."""

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
from tests.unit.local.conftest import KEYS, ROLE, Ground, StandIn, artifact, refused, resources, until


def invoke(ground: Ground, body: bytes, name: str = "Fraud") -> Any:
    runtime = client("sagemaker-runtime", ground.url, **KEYS)
    return runtime.invoke_endpoint(EndpointName=name, Body=body, ContentType="text/csv", Accept="text/csv")


def test_endpoint_passes_bodies_both_ways(ground: Ground) -> None:
    answer = invoke(ground, b"1,2\n")
    assert answer["Body"].read() == b"(['serve'], ['model.ubj'], 4)"
    assert (answer["ContentType"], answer["InvokedProductionVariant"]) == ("text/csv", "AllTraffic")


def test_custom_attributes_pass_both_ways(ground: Ground) -> None:
    runtime = client("sagemaker-runtime", ground.url, **KEYS)
    answer = runtime.invoke_endpoint(EndpointName="Fraud", Body=b"1", CustomAttributes="margin=true")
    assert answer["CustomAttributes"] == "heard:margin=true"
    assert "CustomAttributes" not in invoke(ground, b"1")


@pytest.mark.parametrize(("body", "status", "side"), [(b"bad", 400, "client"), (b"broken", 500, "server")])
def test_models_refusal_is_a_model_error(ground: Ground, body: bytes, status: int, side: str) -> None:
    response = refused(lambda: invoke(ground, body))
    assert response["Error"]["Code"] == "ModelError"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert response["OriginalStatusCode"] == status
    assert response["OriginalMessage"] == '{"code": "BAD"}'
    assert response["LogStreamArn"].endswith("/aws/sagemaker/Endpoints/Fraud")
    said = f'Received {side} error ({status}) from primary with message "{{"code": "BAD"}}". See https://'
    assert response["Error"]["Message"].startswith(said)


def test_a_long_refusal_arrives_cut_off(ground: Ground) -> None:
    error = ground.model._model_error(400, "x" * 5000)
    assert error.fields["OriginalMessage"] == "x" * 2048


def test_body_over_the_limit_is_refused_and_one_at_the_limit_is_not(ground: Ground) -> None:
    assert invoke(ground, b"x" * 1000)["ResponseMetadata"]["HTTPStatusCode"] == 200
    response = refused(lambda: invoke(ground, b"x" * 1001))
    assert response["Error"] == {"Code": "413", "Message": "HTTP content length exceeded 1000 bytes."}


def test_unknown_endpoint_is_a_validation_error(ground: Ground) -> None:
    error = refused(lambda: invoke(ground, b"1", "Gone"))["Error"]
    assert error == {"Code": "ValidationError", "Message": "Endpoint Gone of account 000000000000 not found."}


def test_endpoint_asks_whether_the_caller_may(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ground.authority, "denied", {"sagemaker:InvokeEndpoint"})
    error = refused(lambda: invoke(ground, b"1"))["Error"]
    assert error["Code"] == "AccessDeniedException"
    assert "sagemaker:InvokeEndpoint on resource: arn:aws:sagemaker:::endpoint/fraud" in error["Message"]


def test_model_error_when_the_container_takes_too_long(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    while not ground.model._idle.empty():
        ground.model._idle.get().close()
    monkeypatch.setattr(endpoints, "INVOKE_SECONDS", 0.2)
    response = refused(lambda: invoke(ground, b"slow"))
    assert (response["Error"]["Code"], response["OriginalStatusCode"]) == ("ModelError", 0)
    assert "Your invocation timed out" in response["OriginalMessage"]


@pytest.fixture(autouse=True)
def _only_fraud_stays(ground: Ground) -> Iterator[None]:
    yield
    for name in ground.endpoints.keys() - {"Fraud"}:
        ground.endpoints.pop(name)._close_idle()


def beside(ground: Ground, name: str, **changes: Any) -> ModelServer:
    """Another endpoint in front of the same process."""
    endpoint = replace(ground.model.endpoint, name=name, arn=f"arn:aws:sagemaker:::endpoint/{name}", **changes)
    server = ModelServer(endpoint, ground.model.image, ground.authority, ground.model.host, "InService")
    server._port = ground.model._port
    ground.endpoints[name] = server
    return server


def sleeping(ground: Ground, min_copies: int = 0) -> None:
    beside(ground, "night", component=Component("arn:aws:sagemaker:::inference-component/c", "c", min_copies))


def ask_component(ground: Ground, name: str | None = "c") -> Any:
    runtime = client("sagemaker-runtime", ground.url, **KEYS)
    named = {"InferenceComponentName": name} if name else {}
    return runtime.invoke_endpoint(EndpointName="night", Body=b"1", **named)["Body"].read()


def test_a_component_that_scales_to_nothing_sleeps_until_it_was_asked_a_few_times(ground: Ground) -> None:
    sleeping(ground)
    for _ in range(REFUSED_ASLEEP):
        error = refused(lambda: ask_component(ground))["Error"]
        assert error["Code"] == "ValidationError"
        assert error["Message"].startswith("Inference Component has no capacity to process this request. ")
    assert ask_component(ground).endswith(b", 1)")


def test_a_component_that_always_has_a_copy_answers_at_once(ground: Ground) -> None:
    sleeping(ground, min_copies=1)
    assert ask_component(ground).endswith(b", 1)")


@pytest.mark.parametrize("name", [None, "other"])
def test_a_request_must_name_the_endpoints_component(ground: Ground, name: str | None) -> None:
    sleeping(ground, min_copies=1)
    error = refused(lambda: ask_component(ground, name))["Error"]
    assert error["Code"] == "ValidationError"
    assert f"night has the inference component c; the request names {name or 'none'}" in error["Message"]


def test_a_caller_must_be_allowed_to_invoke_the_component_too(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    sleeping(ground, min_copies=1)

    def only_the_endpoint(caller: str, action: str, resource: str) -> None:
        if "inference-component" in resource:
            raise access_denied(caller, action, resource, "implicitDeny")

    monkeypatch.setattr(ground.authority, "require", only_the_endpoint)
    error = refused(lambda: ask_component(ground))["Error"]
    assert error["Code"] == "AccessDeniedException"
    assert "inference-component/c" in error["Message"]


def test_a_serverless_endpoint_turns_away_what_it_cannot_work_at_one_time(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = beside(ground, "free", concurrency=1)
    entered, leave = threading.Event(), threading.Event()

    def slow(_body: bytes, _headers: Any) -> Reply:
        entered.set()
        leave.wait(10)
        return Reply(200, "text/csv", "", b"1")

    monkeypatch.setattr(server, "_invoked", slow)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(invoke, ground, b"1", "free")
        assert entered.wait(10)
        response = refused(lambda: invoke(ground, b"2", "free"))
        leave.set()
        assert first.result()["Body"].read() == b"1"
    assert response["Error"]["Code"] == "ThrottlingException"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert invoke(ground, b"3", "free")["Body"].read() == b"1"


def test_a_serverless_endpoint_takes_bodies_of_4_mib(ground: Ground) -> None:
    assert beside(ground, "free", concurrency=1).max_payload_bytes == 4_194_304
    assert ground.model.max_payload_bytes > 1 << 40


def test_models_process_is_started_again_when_it_dies(ground: Ground) -> None:
    assert refused(lambda: invoke(ground, b"die"))["ResponseMetadata"]["HTTPStatusCode"] == 503

    def answers() -> bool:
        try:
            return bool(invoke(ground, b"1")["ContentType"])
        except ClientError:
            return False

    assert until(answers, bool)


def test_artifact_is_fetched_as_the_models_role_and_unpacked_read_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("model.ubj")
        member.size = 3
        archive.addfile(member, io.BytesIO(b"abc"))
    asked: list[Any] = []

    class S3:
        def get_object(self, **request: Any) -> Any:
            asked.append(request)
            return {"Body": io.BytesIO(packed.getvalue())}

    def s3_client(_service: str, _url: str, **keys: str) -> S3:
        asked.append(keys)
        return S3()

    authority = StandIn()
    monkeypatch.setattr(endpoints, "client", s3_client)
    host = ContainerHost(emulator_url="http://127.0.0.1:1", shim_url="http://127.0.0.1:2", state=tmp_path)
    server = ModelServer(resources().endpoints["Fraud"], Image(("true",), tmp_path, {}), authority, host)

    unpacked = server._fetch(tmp_path / "home")

    assert authority.assumed == [(ROLE, "sagemaker.amazonaws.com")]
    assert asked[0]["aws_secret_access_key"] == "secret of Fraud"
    assert asked[1] == {"Bucket": "b", "Key": "model.tar.gz"}
    assert (unpacked / "model.ubj").read_bytes() == b"abc"
    assert (unpacked / "model.ubj").stat().st_mode & 0o777 == 0o444


@pytest.mark.parametrize(
    "error",
    [
        AwsError(403, "AccessDenied", "no s3:GetObject"),
        ClientError({"Error": {"Code": "AccessDenied", "Message": "no s3:GetObject"}}, "GetObject"),
    ],
)
def test_endpoint_fails_with_the_reason_when_its_artifact_may_not_be_read(
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
    assert "ended with code 4: see" in server.failure
