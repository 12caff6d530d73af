"""The shim's HTTP server: authenticates each request and passes it to Batch or to an endpoint."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import sys
import traceback
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from local.deployment.account import ACCOUNT
from local.emulator.authentication import check_sender
from local.emulator.signature import RefusedError, Request, read_signature
from local.shim.authority import Authority
from local.shim.batch.service import Batch
from local.shim.errors import AwsError, validation_error
from local.shim.sagemaker.endpoint import ATTRIBUTES, ModelServer

BATCH = re.compile(r"/v1/(\w+)")
COMPONENT = "X-Amzn-SageMaker-Inference-Component"
FORWARDED_HEADERS = ("Content-Type", "Accept", ATTRIBUTES)
INVOCATION = re.compile(r"/endpoints/([^/]+)/invocations")
CREDENTIALS = re.compile(r"/_dropscore/credentials/([^/]+)")


class Shim(ThreadingHTTPServer):
    """A server on a socket that the parent opened, so that the parent knows the port before the process starts."""

    daemon_threads = True

    def __init__(
        self,
        listening: socket.socket,
        *,
        batch: Batch,
        endpoints: Mapping[str, ModelServer],
        authority: Authority,
        max_payload_bytes: int,
    ) -> None:
        super().__init__(listening.getsockname(), Handler, bind_and_activate=False)
        # The base class has created a socket of its own.
        self.socket.close()
        self.socket = listening
        self.batch, self.endpoints, self.authority = batch, endpoints, authority
        self.max_payload_bytes = max_payload_bytes
        port = listening.getsockname()[1]
        self.hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Shim

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Do not log requests; jobs and endpoints have their own logs."""

    def do_GET(self) -> None:
        self._guarded(self._get)

    def do_POST(self) -> None:
        self._guarded(self._post)

    def _guarded(self, answer: Any) -> None:
        try:
            check_sender(self._signed_headers(), self.server.hosts)
            answer()
        except RefusedError as refused:
            self.close_connection = True  # the body may not have been read
            self._send_json(403, {"message": refused.message}, refused.code)
        except AwsError as error:
            self._send_json(error.status, {"message": error.message, **error.fields}, error.code)
        except BrokenPipeError:
            self.close_connection = True
        except Exception:  # noqa: BLE001 - a service replies 500 to its own fault
            traceback.print_exc(file=sys.stderr)
            self._send_json(500, {"message": f"internal error of the embedded cloud at {self.path}"}, "InternalFailure")

    def _get(self) -> None:
        if self.path == "/_dropscore/status":
            self._require_root()
            states = {name: [server.status, server.failure] for name, server in self.server.endpoints.items()}
            body = json.dumps({"endpoints": states}).encode()
            proof = self.server.authority.proof(self.headers["Authorization"], body)
            self._send(200, "application/json", body, {"x-dropscore-proof": proof})
        elif job := CREDENTIALS.fullmatch(self.path):
            session = self.server.batch.session(job[1], self.headers.get("Authorization", ""))
            self._send_json(
                200,
                {
                    "RoleArn": session.role_arn,
                    "AccessKeyId": session.access_key_id,
                    "SecretAccessKey": session.secret_access_key,
                    "Token": session.token,
                    "Expiration": session.expiration,
                },
            )
        else:
            raise AwsError(404, "UnknownOperationException", f"the embedded cloud has no GET {self.path}")

    def _post(self) -> None:
        read_signature(self._request(b""))  # do not read the body of an unknown caller
        body = self._body()
        caller = self.server.authority.caller(self._request(body))
        if operation := BATCH.fullmatch(self.path):
            self._send_json(200, self.server.batch.answer(operation[1], json.loads(body or b"{}"), caller))
        elif endpoint := INVOCATION.fullmatch(self.path):
            self._invoke(endpoint[1], body, caller)
        else:
            raise AwsError(404, "UnknownOperationException", f"the embedded cloud has no POST {self.path}")

    def _require_root(self) -> None:
        caller = self.server.authority.caller(self._request(b""))
        if not caller.endswith(":root"):
            raise AwsError(403, "AccessDeniedException", "This path belongs to the cloud's root.")

    def _request(self, body: bytes) -> Request:
        path, _, query = self.path.partition("?")
        return Request(
            method=self.command,
            path=path,
            query=query,
            headers=self._signed_headers(),
            payload=hashlib.sha256(body).hexdigest(),
        )

    def _signed_headers(self) -> list[tuple[str, str]]:
        return [(name.lower(), value) for name, value in self.headers.items()]

    def _invoke(self, name: str, body: bytes, caller: str) -> None:
        server = self.server.endpoints.get(name)
        if server is None:
            raise validation_error(f"Endpoint {name} of account {ACCOUNT} not found.")
        component = server.endpoint.component
        for resource in (server.endpoint.arn, *([component.arn] if component else [])):
            self.server.authority.require(caller, "sagemaker:InvokeEndpoint", resource)
        limit = min(self.server.max_payload_bytes, server.max_payload_bytes)
        if len(body) > limit:
            # The runtime sends no error code here; botocore then reports the status, 413, as the code.
            raise AwsError(413, "", f"HTTP content length exceeded {limit} bytes.")
        forwarded = {name: self.headers[name] for name in FORWARDED_HEADERS if name in self.headers}
        headers = {"Content-Type": "application/octet-stream", "Accept": "*/*", **forwarded}
        reply = server.invoke(body, headers, self.headers.get(COMPONENT))
        attributes = {ATTRIBUTES: reply.attributes} if reply.attributes else {}
        variant = {"x-Amzn-Invoked-Production-Variant": server.endpoint.variant}
        self._send(200, reply.content_type, reply.body, variant | attributes)

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def _send_json(self, status: int, value: Any, error: str = "") -> None:
        headers = {"x-amzn-ErrorType": error} if error else {}
        self._send(status, "application/json", json.dumps(value).encode(), headers)

    def _send(self, status: int, content_type: str, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        if self.close_connection:  # or the client sends its next request into a connection that we close
            self.send_header("Connection", "close")
        for name, value in {"Content-Type": content_type, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
