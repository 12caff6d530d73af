"""ASGI middleware in front of the emulator: only requests with a valid signature pass.

The emulator itself accepts any request that names root, and has routes without authentication (`/_ministack/reset`).
Every user of this machine can reach its port, and so can a web page through its visitor's browser.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

from local.emulator.signature import RefusedError, Request, Signature, read_signature, verify

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
SAFE_METHODS = {"GET", "HEAD"}
SAVE_SECONDS = 1.0


@dataclass(frozen=True)
class Callers:
    """The principals that may call: root, and every user and session of the emulator's IAM and STS."""

    root: str
    """Root's random access key. The emulator's other access keys for root are refused."""
    root_secret: str
    secret_of: Callable[[str, str], str]
    """Maps (access key, session token) to the secret; raises RefusedError."""
    arn_of: Callable[[str], str]

    def secret(self, signature: Signature) -> str:
        """The secret of the signature's access key. Raises RefusedError if the key is unknown."""
        if signature.access_key == self.root and not signature.token:
            return self.root_secret
        return self.secret_of(signature.access_key, signature.token)

    def verified(self, request: Request) -> str:
        """The access key that signed the request. Raises RefusedError if the signature is not valid."""
        signature = read_signature(request)
        verify(signature, self.secret(signature), request, datetime.now(UTC))
        return signature.access_key


class AuthenticationMiddleware:
    """An ASGI application in front of the emulator's. Paths that start with `/_` are for root only."""

    def __init__(
        self, app: Any, port: int, callers: Callers, deliver: Callable[[Any], None], save: Callable[[], bool]
    ) -> None:
        self._app, self._callers, self._deliver, self._save = app, callers, deliver, save
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self._saves = False
        self._is_save_due = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":  # no deployed code uses websockets
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._http(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            request, body = await self._admitted(scope, receive)
        except RefusedError as refused:
            named = [(b"x-amzn-errortype", refused.code.encode())]
            await _answer(send, 403, _error_type(scope), _error_body(scope, refused), named)
            return
        if scope["path"].startswith("/_dropscore/"):
            await self._answer_internal(scope, request, body, send)
            return
        await self._app(scope, _replay(body, receive), send)
        if scope["method"] not in SAFE_METHODS:
            self._save_soon()

    async def _admitted(self, scope: Scope, receive: Receive) -> tuple[Request, bytes]:
        """The authenticated request and its body. Raises RefusedError."""
        check_sender(_headers(scope), self._hosts)
        self._callers.secret(read_signature(_request(scope, b"")))  # do not read the body of an unknown caller
        body = await _body(receive)
        request = _request(scope, body)
        access_key = self._callers.verified(request)
        if scope["path"].startswith("/_") and access_key != self._callers.root:
            raise RefusedError("AccessDenied", "This path belongs to the cloud's root.")
        return request, body

    async def _answer_internal(self, scope: Scope, request: Request, body: bytes, send: Send) -> None:
        status, reply = await self._internal(scope["method"], scope["path"], body)
        encoded = json.dumps(reply).encode()
        proof = prove(self._callers.root_secret, request.header("authorization"), encoded)
        await _answer(send, status, b"application/json", encoded, [(b"x-dropscore-proof", proof.encode())])

    async def _internal(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        if (method, path) == ("GET", "/_dropscore/ready"):
            return 200, {}
        if (method, path) == ("POST", "/_dropscore/caller"):
            return 200, self._caller(json.loads(body))
        if (method, path) == ("POST", "/_dropscore/events"):
            await asyncio.to_thread(self._deliver, json.loads(body))
            self._save_soon()
            return 200, {}
        if (method, path) == ("POST", "/_dropscore/save"):
            # Saves begin here: during a deployment, they would store an unfinished stack (decision 0059).
            self._saves = True
            self._save_now()
            return 200, {}
        return 404, {"message": "no such path"}

    def _caller(self, sent: dict[str, Any]) -> dict[str, str]:
        """The ARN of the principal that signed a request to the shim, or the error."""
        request = Request(**{**sent, "headers": [(name, value) for name, value in sent["headers"]]})
        try:
            return {"arn": self._callers.arn_of(self._callers.verified(request))}
        except RefusedError as refused:
            return {"code": refused.code, "message": refused.message}

    def _save_soon(self) -> None:
        """Save within a second. The emulator itself saves only at a regular exit, not when it is killed."""
        if self._saves and not self._is_save_due:
            self._is_save_due = True
            asyncio.get_running_loop().call_later(SAVE_SECONDS, self._save_now)

    def _save_now(self) -> None:
        self._is_save_due = False
        if not self._save():
            self._save_soon()


def check_sender(headers: list[tuple[str, str]], hosts: set[str]) -> None:
    """Refuse requests from web pages: a browser adds Origin, and DNS rebinding sends another name's Host."""
    if [value.lower() for name, value in headers if name == "host"][:1] not in [[host] for host in hosts]:
        raise RefusedError("AccessDenied", "The embedded cloud is not called by this name.")
    if any(name == "origin" for name, _ in headers):
        raise RefusedError("AccessDenied", "The embedded cloud takes no requests from web pages.")


def prove(secret: str, authorization: str, body: bytes) -> str:
    """A proof that the reply comes from this cloud, and not from a program that took over its port."""
    # The signature makes the proof unique to the request, so that an older reply cannot be replayed.
    return hmac.new(secret.encode(), authorization.encode() + b"\n" + body, hashlib.sha256).hexdigest()


def _headers(scope: Scope) -> list[tuple[str, str]]:
    return [(name.decode("latin-1").lower(), _text(value)) for name, value in scope["headers"]]


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _request(scope: Scope, body: bytes) -> Request:
    return Request(
        method=scope["method"],
        path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=_headers(scope),
        payload=hashlib.sha256(body).hexdigest(),
    )


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RefusedError("IncompleteBody", "The request ended within its body.")
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that returns the body that was already read, then further messages."""
    waiting = [body]

    async def receive_again() -> MutableMapping[str, Any]:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return receive_again


def _error_type(scope: Scope) -> bytes:
    return b"application/xml" if _speaks_xml(scope) else b"application/x-amz-json-1.1"


def _error_body(scope: Scope, refused: RefusedError) -> bytes:
    """The error in the format of the called service."""
    if not _speaks_xml(scope):
        return json.dumps({"__type": refused.code, "message": refused.message}).encode()
    error = f"<Error><Code>{refused.code}</Code><Message>{escape(refused.message)}</Message></Error>"
    is_query = b"x-www-form-urlencoded" in dict(scope["headers"]).get(b"content-type", b"")
    return (f"<ErrorResponse>{error}</ErrorResponse>" if is_query else error).encode()


def _speaks_xml(scope: Scope) -> bool:
    """Whether the service replies in XML: S3 and the query protocol do. An unsigned request counts as S3."""
    headers = dict(scope["headers"])
    content_type, authorization = headers.get(b"content-type", b""), headers.get(b"authorization", b"/s3/aws4_request")
    is_s3 = b"/s3/aws4_request" in authorization and b"json" not in content_type
    return b"x-www-form-urlencoded" in content_type or is_s3


async def _answer(
    send: Send, status: int, content_type: bytes, body: bytes, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    start = [(b"content-type", content_type), (b"content-length", str(len(body)).encode()), *(headers or [])]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})
