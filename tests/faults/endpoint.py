"""A model with the SageMaker runtime's protocol: each row's score depends on the row's bytes and on nothing else.

So a lost, duplicated or reordered row always shows.
"""

from __future__ import annotations

import json
import re
import threading
import zlib

from tests.faults.schedule import Act, Answer, Call, Forward

_ROW = re.compile(rb'(?:[^"\n]|"[^"]*"?)*(?:\n|\Z)')
POISON = b"poison"
REFUSAL = {"code": "NOT_A_NUMBER", "column": 2}


def rows_of(data: bytes) -> list[bytes]:
    """The rows without their line ends; independent of the tested code."""
    return [row.removesuffix(b"\n") for row in _ROW.findall(data) if row]


def score(row: bytes, model: str) -> bytes:
    return b"0.%010d" % zlib.crc32(row + model.encode())


def scores(data: bytes, model: str = "") -> bytes:
    """The expected output, one line per row. Another `model` gives other scores for the same rows."""
    return b"".join(score(row, model) + b"\n" for row in rows_of(data))


class Model:
    """Answers like a deployed endpoint. Each reply names `version`; with `refuses`, rows with POISON are refused."""

    def __init__(self) -> None:
        self.version = "0123456789ab"
        self.flavor = ""
        self.refuses = True
        self.most_at_once = 0
        self.bodies: list[bytes] = []
        self._at_once = 0
        self._lock = threading.Lock()

    def answer(self, call: Call) -> Answer:
        with self._lock:
            self.bodies.append(call.body)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return self._answer(call.body)
        finally:
            with self._lock:
                self._at_once -= 1

    def _answer(self, body: bytes) -> Answer:
        for number, row in enumerate(rows_of(body), 1):
            if POISON in row and self.refuses:
                cell = row.decode(errors="replace")
                return model_error(400, json.dumps({**REFUSAL, "row": number, "message": f"not a number: {cell}"}))
        return self.scored(scores(body, self.flavor))

    def refuse_all(self, _call: Call, _forward: Forward) -> Answer:
        return model_error(400, json.dumps({**REFUSAL, "row": 1}))

    def scored(self, body: bytes) -> Answer:
        attributes = {"X-Amzn-SageMaker-Custom-Attributes": f"model-version={self.version}"}
        return Answer(200, {"Content-Type": "text/csv; charset=utf-8", **attributes}, body)


def model_error(status: int, message: str = "") -> Answer:
    """The runtime's error for a container's answer other than 200."""
    side = "client" if 400 <= status < 500 else "server"
    error = {
        "Message": f'Received {side} error ({status}) from primary with message "{message}".',
        "OriginalStatusCode": status,
        "OriginalMessage": message,
        "LogStreamArn": "arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/Endpoints/endpoint",
    }
    return Answer(
        424, {"Content-Type": "application/json", "x-amzn-ErrorType": "ModelError"}, json.dumps(error).encode()
    )


def runtime_error(status: int, code: str, message: str = "error of the runtime") -> Answer:
    """An error of the runtime itself."""
    headers = {"Content-Type": "application/json", **({"x-amzn-ErrorType": code} if code else {})}
    return Answer(status, headers, json.dumps({"message": message}).encode())


def garble(change: bytes | None = None, *, drop: int = 0, add: bytes = b"") -> Act:
    """A changed reply: `change` replaces the first score, `drop` removes scores, `add` follows the last."""

    def act(_call: Call, forward: Forward) -> Answer:
        answer = forward()
        lines = answer.body.splitlines(keepends=True)
        if change is not None:
            lines[0] = change
        return Answer(answer.status, answer.headers, b"".join(lines[: len(lines) - drop]) + add)

    return act


def limit(most_bytes: int) -> Act:
    """An endpoint that refuses requests above this size."""

    def act(call: Call, forward: Forward) -> Answer:
        if len(call.body) > most_bytes:
            return runtime_error(413, "", f"HTTP content length exceeded {most_bytes} bytes.")
        return forward()

    return act
