"""The SageMaker contract over HTTP/1.1 with keep-alive: GET /ping, POST /invocations."""

from __future__ import annotations

import socketserver
import sys
import time
import traceback
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from serving.body import parse
from serving.gate import Gate
from serving.log import log
from serving.model import Model, text_of
from serving.refusal import RefusalError

CSV = "text/csv; charset=utf-8"
JSON = "application/json"
METHODS = {"/ping": "GET", "/invocations": "POST"}
DISCARD_LIMIT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Service:
    model: Model
    gate: Gate
    max_body_bytes: int


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


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    timeout = 120  # seconds a connection may stay silent
    wbufsize = -1  # headers and scores leave together
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.started, self.unread, self.received, self.rows = time.monotonic(), 0, 0, 0
        try:
            self._answer()
        except RefusalError as refusal:
            self._refuse(refusal)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_GET  # noqa: N815

    def _answer(self) -> None:
        path = self.path.partition("?")[0]
        self.unread = self._content_length()
        if path not in METHODS:
            raise RefusalError(404, "NOT_FOUND", "this server answers GET /ping and POST /invocations")
        if self.command != METHODS[path]:
            allowed = METHODS[path]
            raise RefusalError(405, "WRONG_METHOD", f"{path} answers {allowed} only", headers={"Allow": allowed})
        if path == "/ping":
            self._discard()
            self._send(200, JSON, b"{}\n")
        else:
            self._invoke()

    def _content_length(self) -> int:
        """Bytes of body to come. A body of unknown length ends the connection: where it ends cannot be told."""
        lengths = self.headers.get_all("Content-Length", [])
        if "Transfer-Encoding" in self.headers:
            self.close_connection = True
            raise RefusalError(411, "LENGTH_REQUIRED", "chunked bodies are not read; send Content-Length")
        if len(lengths) > 1 or not all(length.isascii() and length.isdigit() for length in lengths):
            self.close_connection = True
            raise RefusalError(400, "BAD_CONTENT_LENGTH", "Content-Length must be one whole number")
        return int(lengths[0]) if lengths else 0

    def _invoke(self) -> None:
        self._check_headers()
        service = self.server.service
        with service.gate.place():
            body = self._read()
            with service.gate.slot():
                scores = self._score(body)
            self._send(200, CSV, scores)
            self.wfile.flush()  # a place is left only when the answer is out

    def _check_headers(self) -> None:
        limit = self.server.service.max_body_bytes
        if "Content-Length" not in self.headers:
            raise RefusalError(411, "LENGTH_REQUIRED", "send Content-Length")
        if self.unread > limit:
            raise RefusalError(413, "BODY_TOO_LARGE", f"the body has {self.unread} bytes, the limit is {limit}")
        if self.headers.get_content_type() != "text/csv" or "Content-Type" not in self.headers:
            raise RefusalError(415, "WRONG_CONTENT_TYPE", "send rows as Content-Type: text/csv")

    def _read(self) -> bytes:
        body = self.rfile.read(self.unread)
        if len(body) < self.unread:
            raise ConnectionError("the client left in the middle of a body")
        self.received, self.unread = len(body), 0
        return body

    def _score(self, body: bytes) -> bytes:
        model = self.server.service.model
        try:
            matrix = parse(body, model.features)
            self.rows = len(matrix)
            return text_of(model.score(matrix))
        except RefusalError:
            raise
        except Exception as error:
            # The edge: the client gets an answer, the log the place; the message may quote a row, so nobody gets it.
            frames = [f"{at.name}:{at.lineno}" for at in traceback.extract_tb(error.__traceback__)]
            log("failed", error=type(error).__name__, at=frames)
            raise RefusalError(500, "INTERNAL_ERROR", "the model failed on this body; see the server's log") from error

    def _refuse(self, refusal: RefusalError) -> None:
        self._discard()
        self._send(refusal.status, JSON, refusal.to_json(), refusal)

    def handle_expect_100(self) -> bool:
        """Ask for the body at once: our buffered writer would keep the client waiting."""
        goes_on = super().handle_expect_100()
        self.wfile.flush()
        return goes_on

    def _discard(self) -> None:
        """Read what was not asked for: closing on unread bytes would reset the connection and lose our answer."""
        if self.unread > DISCARD_LIMIT_BYTES:
            self.close_connection = True
            return
        while self.unread and (piece := self.rfile.read(min(self.unread, 1 << 16))):
            self.unread -= len(piece)

    def _send(self, status: int, kind: str, body: bytes, refusal: RefusalError | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (refusal.headers if refusal else {}).items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        if self.path != "/ping" or status != 200:
            self._log(status, refusal)

    def _log(self, status: int, refusal: RefusalError | None) -> None:
        fields: dict[str, object] = {"status": status, "bytes": self.received, "rows": self.rows}
        fields["milliseconds"] = round((time.monotonic() - self.started) * 1000, 1)
        if refusal:
            fields |= {"code": refusal.code, "row": refusal.row, "column": refusal.column}
        log("request", **fields)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """What the base class finds wrong before any method of ours is called: a request that is not HTTP."""
        self.started, self.received, self.rows, self.close_connection = time.monotonic(), 0, 0, True
        self.path = getattr(self, "path", "")
        self._send(
            code, JSON, RefusalError(code, "BAD_REQUEST", "this is not a request the server understands").to_json()
        )

    def version_string(self) -> str:
        return "dropscore-model"

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Silence the base class, which writes request lines to stderr."""
