"""A logistic model over four columns, behind the two paths that SageMaker calls. It does not use Dropscore."""

import math
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

WEIGHTS, BIAS = np.array([0.8, -0.4, 0.1, 1.5]), -1.0


def score(rows: list[list[float]]) -> list[float]:
    """The model. Replace this function and the weights with your own; the rest is HTTP."""
    chances: list[float] = (1 / (1 + np.exp(-(np.array(rows) * WEIGHTS).sum(axis=1) - BIAS))).tolist()
    return chances


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.answer(200 if self.path == "/ping" else 404, "")

    def do_POST(self) -> None:
        lines = self.rfile.read(int(self.headers["Content-Length"])).decode().splitlines()
        bad = next((number for number, line in enumerate(lines, 1) if not is_row(line)), None)
        if self.headers.get_content_type() != "text/csv":
            self.answer(415, '{"code": "WRONG_CONTENT_TYPE"}')
        elif bad or not lines:  # the row's number, never its content, which would end up in logs
            self.answer(400, f'{{"code": "BAD_ROW", "row": {bad or 1}}}')
        else:
            scores = score([[float(cell) for cell in line.split(",")] for line in lines])
            self.answer(200, "".join(f"{chance!r}\n" for chance in scores))

    def answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/csv" if status == 200 else "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_request(self, *_: object) -> None:
        """Do not log each request; errors are still printed."""


def is_row(line: str) -> bool:
    try:
        cells = [float(cell) for cell in line.split(",")]
    except ValueError:
        return False
    return len(cells) == len(WEIGHTS) and all(map(math.isfinite, cells))


class Server(ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for requests in progress
    request_queue_size = 128


if __name__ == "__main__":
    host = os.environ.get("DROPSCORE_BIND_HOST", "0.0.0.0")  # noqa: S104  loopback in the embedded cloud
    with Server((host, int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))), Handler) as server:
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
        server.serve_forever(poll_interval=0.1)
