"""SageMaker's container contract: GET /ping, GET /execution-parameters, POST /invocations."""

from __future__ import annotations

import json
import sys
import threading
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from socketserver import ThreadingTCPServer
from typing import Any

from model.serving import parallel
from model.serving.http.admission import Admission
from model.serving.http.connections import Connections
from model.serving.http.handler import JSON, HttpHandler, internal_error
from model.serving.invocation import CSV, Invocation
from model.serving.log import log
from model.serving.model import Model
from model.serving.output_type import HEADER
from model.serving.refusal import RefusalError

MORE_CONNECTIONS = 64  # in addition to places: for pings, and for requests that get 503
METHODS = {"/ping": "GET", "/execution-parameters": "GET", "/invocations": "POST"}
MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Service:
    model: Model
    admission: Admission
    max_body_bytes: int
    transfer_seconds: float = 8

    @property
    def execution_parameters(self) -> dict[str, object]:
        """What batch transform requests before it sends rows."""
        megabytes = self.max_body_bytes // MEBIBYTE
        return {
            "MaxConcurrentTransforms": self.admission.running,
            "BatchStrategy": "MULTI_RECORD",
            "MaxPayloadInMB": max(1, megabytes),
        }


class Server(ThreadingTCPServer):
    allow_reuse_address = True
    # A client that never finishes must not keep the process alive.
    daemon_threads = True
    # Connections wait here while all are busy (decision 0042).
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], service: Service) -> None:
        self.service = service
        self._connections = Connections(service.admission.places + MORE_CONNECTIONS)
        self._is_stopping = threading.Event()
        super().__init__(address, Handler)
        self.server_port = int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Run in the accepting thread: while all connections are busy, new ones wait in the system's backlog."""
        while not self._connections.admit(request, timeout_seconds=0.05):
            if self._is_stopping.is_set():
                self.shutdown_request(request)
                return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # the system has no more threads
            self._connections.leave(request)
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.leave(request)

    def resting(self, request: Any) -> AbstractContextManager[None]:
        return self._connections.resting(request)

    def shutdown(self) -> None:
        self._is_stopping.set()
        super().shutdown()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        log("connection_lost", error=type(sys.exc_info()[1]).__name__)


class Handler(HttpHandler):
    server: Server

    def setup(self) -> None:
        self.transfer_seconds = self.server.service.transfer_seconds

    def has_request(self) -> bool:
        with self.server.resting(self.request):
            return super().has_request()

    def answer(self) -> None:
        path, method = self.head.path, self.head.method
        if path not in METHODS:
            raise RefusalError(404, "NOT_FOUND", f"unknown path; available: {', '.join(METHODS)}")
        if method != METHODS[path]:
            allowed = METHODS[path]
            raise RefusalError(405, "WRONG_METHOD", f"{path} accepts {allowed} only", headers={"Allow": allowed})
        if path == "/invocations":
            self._invoke()
        else:
            parameters = {} if path == "/ping" else self.server.service.execution_parameters
            self.send(200, JSON, json.dumps(parameters).encode() + b"\n")

    def _invoke(self) -> None:
        # What the head alone shows to be wrong is refused before the request is read.
        self._check_length()
        invocation, service = Invocation.of(self.head), self.server.service
        with service.admission.request() as take:  # held until the reply is written
            body = self.read(take)
            with service.admission.place():
                reply = self._score(body, invocation)
                content_type = f"{CSV}; charset=utf-8" if invocation.reply_type == CSV else invocation.reply_type
                self.send(200, content_type, reply, {HEADER: service.model.attributes})

    def _check_length(self) -> None:
        limit = self.server.service.max_body_bytes
        if not self.head.has_length:
            raise RefusalError(411, "LENGTH_REQUIRED", "send Content-Length", closes=True)
        if self.unread > limit:
            raise RefusalError(413, "BODY_TOO_LARGE", f"the request has {self.unread} bytes, but the limit is {limit}")

    def _score(self, body: bytes, invocation: Invocation) -> bytes:
        admission, waited = self.server.service.admission, time.monotonic()
        with admission.slots(parallel.count(len(body), admission.running)) as cores:
            self.log_fields["waited_milliseconds"] = round((time.monotonic() - waited) * 1000, 1)
            try:
                return self._reply_to(body, invocation, cores)
            except RefusalError:
                raise
            except Exception as error:
                raise internal_error(error) from error

    def _reply_to(self, body: bytes, invocation: Invocation, cores: int) -> bytes:
        model = self.server.service.model
        matrix = invocation.read(body, model.schema, cores)
        self.log_fields |= {"rows": len(matrix), "wanted": invocation.output_type}
        return invocation.write(model.compute(matrix, invocation.output_type, cores))
