"""HTTP/1.1 with keep-alive, as far as a server of large bodies needs it: framing, refusals, one log line a request."""

from __future__ import annotations

import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from types import MappingProxyType

from serving.log import log
from serving.refusal import RefusalError

JSON = "application/json"
DISCARD_LIMIT_BYTES = 64 * 1024 * 1024


class HttpHandler(BaseHTTPRequestHandler):
    """A subclass answers requests in `answer`, by `read` and `send` or by raising a RefusalError."""

    protocol_version = "HTTP/1.1"
    timeout = 120  # seconds a connection may stay silent
    wbufsize = -1  # headers and scores leave together
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._begin()
        try:
            self.unread = self._content_length()
            self.answer()
        except RefusalError as refusal:
            self._refuse(refusal)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_GET  # noqa: N815

    def answer(self) -> None:
        """What the subclass has to say; see `contract`."""
        raise NotImplementedError

    def _begin(self) -> None:
        self.started, self.unread = time.monotonic(), 0
        self.noted: dict[str, object] = {"bytes": 0, "rows": 0}

    @property
    def milliseconds(self) -> float:
        return round((time.monotonic() - self.started) * 1000, 1)

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

    def read(self) -> bytes:
        body = self.rfile.read(self.unread)
        if len(body) < self.unread:
            raise ConnectionError("the client left in the middle of a body")
        self.noted["bytes"], self.unread = len(body), 0
        return body

    def _refuse(self, refusal: RefusalError) -> None:
        self.discard()
        self.send(refusal.status, JSON, refusal.to_json(), refusal.headers, refusal)

    def handle_expect_100(self) -> bool:
        """Ask for the body at once: our buffered writer would keep the client waiting."""
        goes_on = super().handle_expect_100()
        self.wfile.flush()
        return goes_on

    def discard(self) -> None:
        """Read what was not asked for: closing on unread bytes would reset the connection and lose our answer."""
        if self.unread > DISCARD_LIMIT_BYTES:
            self.close_connection = True
            return
        while self.unread and (piece := self.rfile.read(min(self.unread, 1 << 16))):
            self.unread -= len(piece)

    def send(
        self,
        status: int,
        kind: str,
        body: bytes,
        headers: Mapping[str, str] = MappingProxyType({}),
        refusal: RefusalError | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        if self.path != "/ping" or status != 200:
            self._log(status, refusal)
        self.wfile.flush()

    def _log(self, status: int, refusal: RefusalError | None) -> None:
        fields: dict[str, object] = {"status": status, **self.noted, "milliseconds": self.milliseconds}
        if refusal:
            fields |= {"code": refusal.code, "row": refusal.row, "column": refusal.column}
        log("request", **fields)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """What the base class finds wrong before any method of ours is called: a request that is not HTTP."""
        self._begin()
        self.close_connection, self.path = True, getattr(self, "path", "")
        refusal = RefusalError(code, "BAD_REQUEST", "this is not a request the server understands")
        self.send(code, JSON, refusal.to_json())

    def version_string(self) -> str:
        return "dropscore-model"

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Silence the base class, which writes request lines to stderr."""
