"""Which requests pass the middleware, and its replies to internal paths."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.emulator import authentication
from local.emulator.authentication import AuthenticationMiddleware, Callers, prove
from local.emulator.signature import RefusedError

ROOT, ROOT_SECRET = "AKIAROOT", "root's secret"
ROLE, ROLE_SECRET = "ASIAROLE", "a role's secret"
URL = "http://127.0.0.1:4566"


def secret_of(access_key: str, token: str) -> str:
    if (access_key, token) != (ROLE, "token"):
        raise RefusedError("InvalidClientTokenId", "nobody's")
    return ROLE_SECRET


@dataclass
class World:
    seen: list[tuple[str, bytes]] = field(default_factory=list)
    delivered: list[Any] = field(default_factory=list)
    saved: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        callers = Callers(ROOT, ROOT_SECRET, secret_of, lambda key: f"arn:{key}")
        self.middleware = AuthenticationMiddleware(self._emulator, 4566, callers, self.delivered.append, self._save)

    def _save(self) -> bool:
        self.saved.append(1)
        return len(self.saved) != 4  # the fourth save is incomplete

    async def _emulator(self, scope: Any, receive: Any, send: Any) -> None:
        self.seen.append((scope.get("path", scope["type"]), (await receive()).get("body", b"")))
        await send({"type": "http.response.start", "status": 418, "headers": []})
        await send({"type": "http.response.body", "body": b'"the emulator"'})

    def ask(self, path: str, headers: dict[str, str], method: str = "POST", body: bytes = b"") -> tuple[int, bytes]:
        return asyncio.run(self.send(path, headers, method, body))[:2]

    async def send(self, path: str, headers: dict[str, str], method: str, body: bytes) -> tuple[int, bytes, Any]:
        sent: list[Any] = []
        waiting = [body[:2], body[2:]]

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}

        async def send(message: Any) -> None:
            sent.append(message)

        raw, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": raw,
            "raw_path": raw.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        await self.middleware(scope, receive, send)
        return sent[0]["status"], sent[1]["body"], dict(sent[0]["headers"])


@pytest.fixture
def world() -> World:
    return World()


def signed(
    path: str,
    key: str = ROOT,
    secret: str = ROOT_SECRET,
    token: str | None = None,
    body: bytes = b"",
    method: str = "POST",
    **more: str,
) -> dict[str, str]:
    request = AWSRequest(method=method, url=URL + path, data=body)
    SigV4Auth(Credentials(key, secret, token), "sqs", "us-east-1").add_auth(request)
    return {"host": "127.0.0.1:4566", **{name.lower(): value for name, value in request.headers.items()}, **more}


def as_role(path: str, **more: Any) -> dict[str, str]:
    return signed(path, ROLE, ROLE_SECRET, "token", **more)


def test_signed_requests_reach_the_emulator_unchanged(world: World) -> None:
    assert world.ask("/q", signed("/q", body=b"abc"), body=b"abc") == (418, b'"the emulator"')
    assert world.ask("/q", as_role("/q", body=b"abc"), body=b"abc") == (418, b'"the emulator"')
    assert world.seen == [("/q", b"abc"), ("/q", b"abc")]


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "127.0.0.1:4566"},
        signed("/q", secret="test"),
        signed("/q", key="test", secret="test"),
        signed("/q", key="000000000000", secret="test"),
        signed("/q", token="token"),
        signed("/q", ROLE, ROLE_SECRET),
        signed("/q", ROLE, ROLE_SECRET, "another token"),
        signed("/q", body=b"another body"),
        signed("/q", origin="http://127.0.0.1:4566"),
        signed("/q", origin="null"),
        {**signed("/q"), "host": "evil.example:4566"},
        {**signed("/q"), "host": "127.0.0.1"},
    ],
    ids=range(12),
)
def test_invalid_requests_do_not_reach_the_emulator(world: World, headers: dict[str, str]) -> None:
    status, body = world.ask("/q", headers)
    assert status == 403
    assert b"message" in body.lower()
    assert world.seen == []


def test_a_preflight_is_refused_without_cors_headers(world: World) -> None:
    headers_sent = {"host": "127.0.0.1:4566", "origin": "http://evil.example", "access-control-request-method": "PUT"}
    status, _, headers = asyncio.run(world.send("/b", headers_sent, "OPTIONS", b""))
    assert status == 403
    assert not any(b"access-control" in name for name in headers)


def test_the_body_of_an_unknown_caller_is_not_read(world: World) -> None:
    async def receive() -> dict[str, Any]:
        raise AssertionError

    async def send(_message: Any) -> None:
        pass

    headers = [(name.encode(), value.encode()) for name, value in signed("/q", key="nobody").items()]
    scope = {"type": "http", "method": "POST", "path": "/q", "raw_path": b"/q", "query_string": b"", "headers": headers}
    asyncio.run(world.middleware(scope, receive, send))


@pytest.mark.parametrize("path", ["/_ministack/reset", "/_localstack/health", "/_dropscore/ready", "/_aws/x"])
def test_only_root_may_call_administrative_paths(world: World, path: str) -> None:
    assert world.ask(path, as_role(path))[0] == 403
    assert world.seen == []
    assert world.ask(path, signed(path))[0] != 403


def test_a_websocket_is_closed(world: World) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(world.middleware({"type": "websocket"}, None, send))  # type: ignore[arg-type]
    assert sent == [{"type": "websocket.close", "code": 1008}]
    assert world.seen == []


def test_internal_replies_carry_a_proof(world: World) -> None:
    headers = signed("/_dropscore/ready", method="GET")
    status, body, answered = asyncio.run(world.send("/_dropscore/ready", headers, "GET", b""))
    assert (status, body) == (200, b"{}")
    assert answered[b"x-dropscore-proof"].decode() == prove(ROOT_SECRET, headers["authorization"], body)


def test_an_event_of_the_shim_is_delivered(world: World) -> None:
    body = b'{"source": "aws.batch"}'
    assert world.ask("/_dropscore/events", signed("/_dropscore/events", body=body), body=body)[0] == 200
    assert world.delivered == [{"source": "aws.batch"}]


def described(headers: dict[str, str]) -> bytes:
    sent = {"method": "POST", "path": "/v1/submitjob", "query": "", "headers": list(headers.items()), "payload": ""}
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    return json.dumps({**sent, "payload": empty}).encode()


def test_callers_of_the_shim_are_verified(world: World) -> None:
    path = "/_dropscore/caller"
    good, forged = described(as_role("/v1/submitjob")), described(signed("/v1/submitjob", secret="test"))
    assert world.ask(path, signed(path, body=good), body=good) == (200, b'{"arn": "arn:ASIAROLE"}')
    status, answer = world.ask(path, signed(path, body=forged), body=forged)
    assert (status, json.loads(answer)["code"]) == (200, "SignatureDoesNotMatch")


def test_the_state_is_saved_soon_after_a_change(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authentication, "SAVE_SECONDS", 0.01)

    async def changes(*paths: str, method: str = "POST") -> int:
        before = len(world.saved)
        for path in paths:
            await world.send(path, signed(path, method=method), method, b"")
        await asyncio.sleep(0.05)
        return len(world.saved) - before

    assert asyncio.run(changes("/q", "/q")) == 0, "not before the deployment is complete"
    assert asyncio.run(changes("/_dropscore/save")) == 1
    assert asyncio.run(changes("/q", "/q", "/q")) == 1
    assert asyncio.run(changes("/q", method="GET")) == 0
    assert asyncio.run(changes("/q")) == 1
    assert asyncio.run(changes("/q")) == 2, "again, because it was incomplete"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"content-type": "application/x-www-form-urlencoded"}, b"<ErrorResponse><Error><Code>Missing"),
        ({"content-type": "application/x-amz-json-1.0"}, b'{"__type": "Missing'),
    ],
)
def test_a_refusal_uses_the_services_protocol(world: World, headers: dict[str, str], expected: bytes) -> None:
    assert world.ask("/", {"host": "localhost:4566", **headers})[1].startswith(expected)
    assert world.ask("/b/k", {"host": "localhost:4566"}, "GET")[1].startswith(b"<Error><Code>Missing")
    assert world.ask("/functions", signed("/", method="GET"), "GET")[1].startswith(b'{"__type": "Signature')
