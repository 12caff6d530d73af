"""A model server in the standard library that follows the contract except for one fault, its first argument.

The model: 1, 10 and 100 times the three columns, added up.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FAULT = os.environ.get("FAULT") or sys.argv[1]
LARGE_BYTES, LIMIT_BYTES = 100_000, 1 << 20
pings = iter(range(1, 1_000_000))
kept: list[bytes] = []
last: list[list[list[float]]] = [[]]
here: list[int] = []
lock = threading.Lock()


class RefusalError(Exception):
    pass


def score(rows: list[list[float]]) -> list[float]:
    if FAULT == "shares-rows":
        last[0] = rows
        time.sleep(0.02)
        rows = last[0]
    scores = [sum(10**place * cell for place, cell in enumerate(row)) for row in rows]
    if FAULT == "adds-a-score" and len(rows) == 2:
        scores.append(0.0)
    if FAULT == "sorts" and len(rows) > 20:
        scores.sort()
    if FAULT == "centres":
        scores = [one - sum(scores) / len(scores) for one in scores]
    if FAULT == "wavers" and len(rows) == 100:
        scores[0] += random.random()
    return scores


def parse(body: bytes) -> list[list[float]]:
    if not body and FAULT == "dies-of-nothing":
        raise ZeroDivisionError
    text = body.decode()
    carried = 1.0 if FAULT == "minds-carriage-returns" and "\r" in text else 0.0
    rows = []
    for number, line in enumerate(text.splitlines() if text else [""], 1):
        cells = line.split(",")
        if len(cells) == 2 and FAULT == "pads":
            cells.append("0")
        if len(cells) != 3:
            raise RefusalError(json.dumps({"code": "BAD_ROW", "row": number}))
        try:
            rows.append([float(cell) + carried for cell in cells])
        except ValueError:
            if FAULT == "takes-words":
                rows.append([0.0, 0.0, 0.0])
                continue
            if FAULT == "dies-of-words":
                raise
            quoted = f": {line}" if FAULT == "quotes" else ""
            raise RefusalError(json.dumps({"code": "BAD_ROW", "row": number, "message": f"bad{quoted}"})) from None
    return rows


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if FAULT == "pings-slowly" and next(pings) == 2:
            time.sleep(1.2)
        if FAULT == "blocks-pings":
            with lock:
                pass
        self.answer(500 if FAULT == "never-healthy" else 200, b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if FAULT == "logs-rows":
            print(body[:5000], flush=True)
        if FAULT == "keeps-bodies":
            kept.append(body + b"x")
        if FAULT == "blocks-pings" and len(body) > LARGE_BYTES:
            self.block_once_two_are_here()
        if FAULT in ("hangs-up", "ends-with-143") and len(body) > LARGE_BYTES:
            time.sleep(0.15)
        self.answer(*self.result(body))

    def block_once_two_are_here(self) -> None:
        here.append(1)
        if len(here) == 2:
            with lock:
                time.sleep(1.5)
        elif len(here) == 1:
            time.sleep(0.05)
            if len(here) == 1:
                here.clear()

    def result(self, body: bytes) -> tuple[int, bytes]:
        if self.headers.get_content_type() != "text/csv":
            return (500 if FAULT == "dies-of-types" else 415), b""
        if FAULT == "always-fails":
            return 500, b""
        if len(body) > LIMIT_BYTES:
            return (400 if FAULT == "limits-with-400" else 413), b""
        try:
            return 200, "".join(f"{one!r}\n" for one in score(parse(body))).encode()
        except RefusalError as refusal:
            return 400, str(refusal).encode()
        except (ValueError, ZeroDivisionError) as error:
            return 500, type(error).__name__.encode()

    def answer(self, status: int, text: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Log nothing, unless the fault is to log."""


class Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128


def start_as_the_fault_has_it() -> None:
    """Faults of images."""
    if FAULT == "writes":
        (Path(os.environ.get("OUT", "/app/out")) / "written").write_text("x")
    if FAULT == "changes-owners":
        owned = Path(tempfile.mkdtemp())
        os.chown(owned, 12345, 12345)
    if FAULT == "refuses-arguments" and "serve" in sys.argv:
        sys.exit("unknown argument: serve")
    if FAULT == "starts-slowly":
        time.sleep(1.6)
    if FAULT == "never-starts":
        sys.exit("ImportError: no such thing")
    if FAULT == "asks-the-network":
        routes = Path("/proc/net/route").read_text().splitlines()[1:]
        if not routes and not os.environ.get("FAKE_NETWORK"):
            sys.exit("no route to the model's registry")


def terminated(stop: Callable[[], None]) -> None:
    if FAULT == "ends-late":
        time.sleep(3)
    if FAULT == "hangs-up":
        os._exit(0)
    threading.Thread(target=stop).start()


if __name__ == "__main__":
    start_as_the_fault_has_it()
    wanted = "8080" if FAULT == "ignores-the-port" else os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080")
    with Server((os.environ.get("DROPSCORE_BIND_HOST", "0.0.0.0"), int(wanted)), Handler) as server:  # noqa: S104
        if FAULT != "ends-with-143":
            signal.signal(signal.SIGTERM, lambda *_: terminated(server.shutdown))
        server.serve_forever(poll_interval=0.05)
