"""HTTP/1.1 with keep-alive for large requests: framing, deadlines, refusals, logging."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from email.utils import formatdate
from http import HTTPStatus
from socketserver import BaseRequestHandler
from types import MappingProxyType

from model.serving.http.connection import LINGER_BYTES, Connection
from model.serving.http.head import Head, parse_head
from model.serving.log import log
from model.serving.refusal import RefusalError

JSON = "application/json"
SILENCE_SECONDS = 120  # between two requests


class HttpHandler(BaseRequestHandler):
    """A subclass implements `answer`, which calls `read` and `send`, or raises a RefusalError."""

    transfer_seconds = 8.0  # for a request to arrive, and again for its reply to be sent

    def answer(self) -> None:
        """Reply to the request in `self.head`; see `contract`."""
        raise NotImplementedError

    def has_request(self) -> bool:
        return self.connection.has_request(SILENCE_SECONDS)

    def handle(self) -> None:
        self.connection = Connection(self.request)
        while self.has_request() and self._serve_one():
            pass

    def _serve_one(self) -> bool:
        """Serve one request. Return whether the connection stays open."""
        self._begin()
        try:
            self._read_head()
            self.answer()
        except RefusalError as refusal:
            self._refuse(refusal)
        except OSError:
            # The client is gone or too slow, so no reply can reach it; the server's `handle_error` logs it.
            raise
        except Exception as error:  # noqa: BLE001
            self.closes = True
            self._refuse(internal_error(error))
        return self._goes_on()

    def _begin(self) -> None:
        # Until the head is parsed, a refusal is sent as for an empty HTTP/1.1 request.
        self.started, self.unread, self.head = time.monotonic(), 0, Head("", "", "1.1", {})
        self.deadline = self.started + self.transfer_seconds
        self.closes = self.waits_for_continue = False
        self.log_fields: dict[str, object] = {"bytes": 0, "rows": 0}

    @property
    def milliseconds(self) -> float:
        return round((time.monotonic() - self.started) * 1000, 1)

    def _read_head(self) -> None:
        try:
            self.head = parse_head(self.connection.head(self.deadline))
        except TimeoutError:
            raise self._too_slow() from None
        self.unread, self.closes = self.head.length, not self.head.keeps_connection
        self.waits_for_continue = self.head.waits_for_continue and self.unread > 0

    def read(self, take: Callable[[int], None]) -> bytes:
        """Return the request's body. `take` is called with the size of each chunk before it is kept."""
        if self.waits_for_continue:
            self.waits_for_continue = False
            self.connection.send(b"HTTP/1.1 100 Continue\r\n\r\n", self.deadline)
        body = bytearray()
        try:
            while self.unread:
                chunk = self.connection.receive(self.unread, self.deadline)
                self.unread -= len(chunk)
                take(len(chunk))
                body += chunk
        except TimeoutError:
            raise self._too_slow() from None
        self.log_fields["bytes"] = len(body)
        return bytes(body)

    def _too_slow(self) -> RefusalError:
        """503 and not 408: the client should retry, and our clients treat any other 4xx as a fault of the rows."""
        message = f"the request did not arrive within {self.transfer_seconds:g} seconds; send it again"
        return RefusalError(503, "TOO_SLOW", message, headers={"Retry-After": "1"}, closes=True)

    def _refuse(self, refusal: RefusalError) -> None:
        self.closes |= refusal.closes
        self.send(refusal.status, JSON, refusal.to_json(), refusal.headers, refusal)

    def _goes_on(self) -> bool:
        if self.closes:
            self.connection.linger()
            return False
        return self._discard()

    def _discard(self) -> bool:
        """Read the rest of a refused request; False if it does not arrive in time."""
        deadline = time.monotonic() + self.transfer_seconds
        try:
            while self.unread:
                self.unread -= len(self.connection.receive(self.unread, deadline))
        except (TimeoutError, ConnectionError):
            return False
        return True

    def send(
        self,
        status: int,
        content_type: str,
        body: bytes,
        headers: Mapping[str, str] = MappingProxyType({}),
        refusal: RefusalError | None = None,
    ) -> None:
        # A client that waits for `100 Continue` may or may not send its body now, so the connection must end.
        self.closes |= self.unread > LINGER_BYTES or self.waits_for_continue
        fields = {"Server": "dropscore-model", "Date": formatdate(usegmt=True), "Content-Type": content_type}
        fields |= {"Content-Length": str(len(body)), **headers, **({"Connection": "close"} if self.closes else {})}
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {fields[name]}" for name in fields)]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        # SageMaker pings all the time; only failures are worth a line.
        if self.head.path != "/ping" or status != 200:
            self._log(status, refusal)
        content = b"" if self.head.method == "HEAD" else body
        self.connection.send(head + content, time.monotonic() + self.transfer_seconds)

    def _log(self, status: int, refusal: RefusalError | None) -> None:
        fields: dict[str, object] = {"status": status, **self.log_fields, "milliseconds": self.milliseconds}
        if refusal:
            fields |= {"code": refusal.code, "row": refusal.row, "column": refusal.column}
            fields |= {"bad_rows": len(refusal.faults) or None}
        log("request", **fields)


def internal_error(error: Exception) -> RefusalError:
    """Log where an unexpected error happened. Its message may quote a row, so neither client nor log gets it."""
    frames = [f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    log("failed", error=type(error).__name__, at=frames)
    return RefusalError(500, "INTERNAL_ERROR", "the model failed to score this request; see the server's log")
