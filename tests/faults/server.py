"""HTTP for the fault laboratory's cloud: one server for all services, on one port."""

from __future__ import annotations

import re
import socket
import struct
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.faults.schedule import Answer, Call, ResetError

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_CALLER = re.compile(r"app/(\S+)")
_BATCH = {"/v1/submitjob": "SubmitJob", "/v1/describejobs": "DescribeJobs"}
_S3 = {
    "GET": (
        ("uploads", "ListMultipartUploads"),
        ("versions", "ListObjectVersions"),
        ("list-type", "ListObjectsV2"),
        ("", "GetObject"),
    ),
    "HEAD": (("", "HeadObject"),),
    "PUT": (("partNumber", "UploadPart"), ("", "PutObject")),
    "POST": (
        ("uploads", "CreateMultipartUpload"),
        ("uploadId", "CompleteMultipartUpload"),
        ("delete", "DeleteObjects"),
    ),
    "DELETE": (("uploadId", "AbortMultipartUpload"), ("", "DeleteObject")),
}


class Server(ThreadingHTTPServer):
    """`answer` may change between cases."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, answer: Callable[[Call], Answer]) -> None:
        self.answer = answer
        self.errors: list[BaseException | None] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def shutdown_request(self, request: Any) -> None:
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Ignores clients that were killed in the middle, as intended; records any other error."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            self.errors.append(error)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # sends each answer at once: separate headers would wait for an acknowledgement
    server: Server

    def _do(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        try:
            answer = self.server.answer(_call(self.command, self.path, dict(self.headers), body))
            self._send(answer)
        except ResetError:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self.close_connection = True

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _do  # noqa: N815

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        length = str(len(answer.body))
        for name, value in {"Content-Length": length, **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body[: answer.sent_bytes])
        self.wfile.flush()
        answer.then()
        self.close_connection = self.close_connection or answer.sent_bytes is not None

    def handle_expect_100(self) -> bool:
        is_expected = super().handle_expect_100()
        self.wfile.flush()
        return is_expected

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


def _call(method: str, target: str, headers: dict[str, str], body: bytes) -> Call:
    operation, key = _named(method, target, headers, body)
    caller = _CALLER.search(headers.get("User-Agent", ""))
    return Call(
        operation=operation,
        key=key,
        caller=caller[1] if caller else "",
        method=method,
        target=target,
        headers=headers,
        body=body,
    )


def _named(method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[str, str]:
    if "X-Amz-Target" in headers:
        job_id = re.search(rb'"job_id": ?\{"S": ?"([^"]*)"', body)
        return headers["X-Amz-Target"].partition(".")[2], job_id[1].decode() if job_id else ""
    invoked = re.fullmatch(r"/endpoints/([^/]+)/invocations", target)
    if invoked:
        return "InvokeEndpoint", invoked[1]
    if target in _BATCH:
        return _BATCH[target], ""
    return _s3(method, target, headers)


def _s3(method: str, target: str, headers: dict[str, str]) -> tuple[str, str]:
    parts = urlsplit(target)
    query = parse_qs(parts.query, keep_blank_values=True)
    key = unquote(parts.path.lstrip("/").partition("/")[2])
    operation = next(name for marker, name in _S3[method] if not marker or marker in query)
    if "x-amz-copy-source" in {name.lower() for name in headers}:
        operation = {"UploadPart": "UploadPartCopy", "PutObject": "CopyObject"}.get(operation, operation)
    return operation, key
