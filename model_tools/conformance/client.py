"""An HTTP client that calls a container as SageMaker does. If the server hangs up, the reply has status 0."""

from __future__ import annotations

import contextlib
import time
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

CSV = "text/csv"


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    """0 if there was no reply; `content` is then the name of the error."""
    content: bytes
    content_type: str
    seconds: float

    @property
    def brief(self) -> str:
        return str(self.status) if self.status else f"no reply ({self.content.decode()})"


@dataclass(frozen=True, slots=True)
class Client:
    url: str

    def ping(self, timeout: float) -> Reply:
        return self.ask("GET", "/ping", timeout=timeout)

    def invoke(self, body: bytes, *, content_type: str = CSV, accept: str = CSV, timeout: float) -> Reply:
        headers = {"Content-Type": content_type, "Accept": accept}
        return self.ask("POST", "/invocations", body, headers, timeout=timeout)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        *,
        timeout: float,
    ) -> Reply:
        began = time.monotonic()
        try:
            with closing(self._connect(timeout)) as connection:
                # The server may refuse a request before it has read all of it.
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    connection.request(method, urlsplit(self.url).path.rstrip("/") + path, body, headers or {})
                answer = connection.getresponse()
                content = answer.read()
                content_type = answer.headers.get("Content-Type", "")
                return Reply(answer.status, content, content_type, time.monotonic() - began)
        except (OSError, HTTPException) as error:
            return Reply(0, type(error).__name__.encode(), "", time.monotonic() - began)

    def _connect(self, timeout: float) -> HTTPConnection:
        parts = urlsplit(self.url)
        connection = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        return connection(parts.hostname or "", parts.port, timeout=timeout)
