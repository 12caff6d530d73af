"""The SageMaker contract: GET /ping, GET /execution-parameters, POST /invocations."""

from __future__ import annotations

import json
import socketserver
import sys
import time
import traceback
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from typing import Any

from serving import pieces
from serving.gate import Gate
from serving.http import JSON, HttpHandler
from serving.invocation import CSV, Invocation
from serving.log import log
from serving.model import Model
from serving.refusal import RefusalError
from serving.wanted import HEADER

METHODS = {"/ping": "GET", "/execution-parameters": "GET", "/invocations": "POST"}
MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Service:
    model: Model
    gate: Gate
    max_body_bytes: int

    @property
    def execution_parameters(self) -> dict[str, object]:
        """What batch transform asks for before it sends anything."""
        megabytes = self.max_body_bytes // MEBIBYTE
        return {
            "MaxConcurrentTransforms": self.gate.running,
            "BatchStrategy": "MULTI_RECORD",
            "MaxPayloadInMB": max(1, megabytes),
        }


class Server(ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], service: Service) -> None:
        self.service = service
        super().__init__(address, Handler)

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer's own also asks DNS for a name nobody uses
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        log("connection_lost", error=type(sys.exc_info()[1]).__name__)


class Handler(HttpHandler):
    server: Server

    def answer(self) -> None:
        path = self.path.partition("?")[0]
        if path not in METHODS:
            raise RefusalError(404, "NOT_FOUND", f"this server answers {', '.join(METHODS)}")
        if self.command != METHODS[path]:
            allowed = METHODS[path]
            raise RefusalError(405, "WRONG_METHOD", f"{path} answers {allowed} only", headers={"Allow": allowed})
        if path == "/invocations":
            self._invoke()
        else:
            self.discard()
            told = {} if path == "/ping" else self.server.service.execution_parameters
            self.send(200, JSON, json.dumps(told).encode() + b"\n")

    def _invoke(self) -> None:
        self._check_length()
        invocation, service = Invocation.of(self.headers), self.server.service
        with service.gate.place():  # left only when the answer is out
            body = self.read()
            waited = time.monotonic()
            with service.gate.slots(pieces.count(len(body), service.gate.running)) as cores:
                self.noted["waited_milliseconds"] = round((time.monotonic() - waited) * 1000, 1)
                answer = self._answer_to(body, invocation, cores)
            kind = f"{CSV}; charset=utf-8" if invocation.answer_type == CSV else invocation.answer_type
            self.send(200, kind, answer, {HEADER: service.model.attributes})

    def _check_length(self) -> None:
        limit = self.server.service.max_body_bytes
        if "Content-Length" not in self.headers:
            raise RefusalError(411, "LENGTH_REQUIRED", "send Content-Length")
        if self.unread > limit:
            raise RefusalError(413, "BODY_TOO_LARGE", f"the body has {self.unread} bytes, the limit is {limit}")

    def _answer_to(self, body: bytes, invocation: Invocation, cores: int) -> bytes:
        model = self.server.service.model
        try:
            matrix = invocation.read(body, model.schema, cores)
            self.noted |= {"rows": len(matrix), "wanted": invocation.wanted}
            return invocation.write(model.answer(matrix, invocation.wanted, cores))
        except RefusalError:
            raise
        except Exception as error:
            # The edge: the client gets an answer, the log the place; the message may quote a row, so nobody gets it.
            frames = [f"{at.name}:{at.lineno}" for at in traceback.extract_tb(error.__traceback__)]
            log("failed", error=type(error).__name__, at=frames)
            raise RefusalError(500, "INTERNAL_ERROR", "the model failed on this body; see the server's log") from error
