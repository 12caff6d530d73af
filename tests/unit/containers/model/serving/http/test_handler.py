from __future__ import annotations

import http.client
import io
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
import xgboost
from pyarrow import parquet

from model.serving.http.admission import Admission
from model.serving.http.contract import Server, Service
from model.serving.loading import load
from model.serving.model import Model
from tests.unit.containers.model.serving.conftest import Rows, csv_of, write

LIMIT = 100_000
CSV = {"Content-Type": "text/csv"}


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    @property
    def fields(self) -> dict[str, Any]:
        assert self.headers["Content-Type"] == "application/json"
        found: dict[str, Any] = json.loads(self.body)
        return found


@pytest.fixture(scope="module")
def server(booster: xgboost.Booster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    model = load(write(tmp_path_factory.mktemp("model"), booster))
    service = Service(
        model=model, admission=Admission(running=2, waiting=2, memory_bytes=4 * LIMIT), max_body_bytes=LIMIT
    )
    with Server(("127.0.0.1", 0), service) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def connection(server: Server) -> Iterator[http.client.HTTPConnection]:
    opened = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    yield opened
    opened.close()


def ask(
    connection: http.client.HTTPConnection,
    method: str = "POST",
    path: str = "/invocations",
    body: bytes | None = None,
    headers: dict[str, str] = CSV,
) -> Answer:
    connection.request(method, path, body, headers)
    return Answer(connection.getresponse())


def test_ping(connection: http.client.HTTPConnection) -> None:
    assert ask(connection, "GET", "/ping").status == 200


def test_scores_are_those_of_booster_predict(
    connection: http.client.HTTPConnection, booster: xgboost.Booster, rows: Rows
) -> None:
    answer = ask(connection, body=csv_of(rows))
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/csv; charset=utf-8")
    scores = np.array([float(line) for line in answer.body.splitlines()]).astype(np.float32)
    assert scores.tobytes() == booster.predict(xgboost.DMatrix(rows)).tobytes()


def test_connection_is_kept_over_scores_and_refusals(connection: http.client.HTTPConnection) -> None:
    ask(connection, "GET", "/ping")
    kept = connection.sock
    for body, status in ((b"1,2,3\n", 200), (b"1,2\n", 400), (b"x" * (LIMIT + 1), 413), (b"1,2,3\n", 200)):
        assert ask(connection, body=body).status == status
        assert connection.sock is kept


def test_refusal_names_the_position_without_content(connection: http.client.HTTPConnection) -> None:
    answer = ask(connection, body=b"1,2,3\n4,secret,6\n")
    assert answer.status == 400
    message = "row 2, column 2 is not a number"
    rows = [["NOT_A_NUMBER", 2, "2"]]
    assert answer.fields == {"code": "NOT_A_NUMBER", "row": 2, "column": 2, "message": message, "rows": rows}


@pytest.mark.parametrize("kind", ["text/csv", "text/csv; charset=utf-8", "TEXT/CSV;header=absent"])
def test_ways_to_say_csv(connection: http.client.HTTPConnection, kind: str) -> None:
    assert ask(connection, body=b"1,2,3", headers={"Content-Type": kind}).status == 200


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "application/xml"}, {"Content-Type": "text/plain"}])
def test_other_content_types_are_refused(connection: http.client.HTTPConnection, headers: dict[str, str]) -> None:
    answer = ask(connection, body=b"1,2,3", headers=headers)
    assert (answer.status, answer.fields["code"]) == (415, "WRONG_CONTENT_TYPE")


def test_every_content_type_gives_the_same_scores(
    connection: http.client.HTTPConnection, booster: xgboost.Booster, rows: Rows
) -> None:
    table = pa.table({name: rows[:, number] for number, name in enumerate("abc")})
    packed, streamed = io.BytesIO(), io.BytesIO()
    parquet.write_table(table, packed)
    with pa.ipc.new_stream(streamed, table.schema) as writer:
        writer.write_table(table)
    listed = [[None if np.isnan(cell) else cell for cell in row] for row in rows.astype(float).tolist()]
    bodies = {
        "text/csv": csv_of(rows),
        "text/csv; header=present": b"a,b,c\n" + csv_of(rows),
        "application/json": json.dumps({"instances": listed}).encode(),
        "application/jsonlines": "\n".join(map(json.dumps, listed)).encode(),
        "application/x-parquet": packed.getvalue(),
        "application/vnd.apache.arrow.stream": streamed.getvalue(),
    }
    expected = booster.predict(xgboost.DMatrix(rows)).tobytes()
    for kind, body in bodies.items():
        answer = ask(connection, body=body, headers={"Content-Type": kind, "Accept": "application/json"})
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json"), kind
        assert np.array(json.loads(answer.body)["predictions"]).astype(np.float32).tobytes() == expected, kind


def test_attribute_selects_the_explanation(
    connection: http.client.HTTPConnection, booster: xgboost.Booster, rows: Rows
) -> None:
    asked = CSV | {"X-Amzn-SageMaker-Custom-Attributes": "contributions=true"}
    answer = ask(connection, body=csv_of(rows), headers=asked)
    found = np.loadtxt(io.BytesIO(answer.body), delimiter=",").astype(np.float32)
    assert found.tobytes() == booster.predict(xgboost.DMatrix(rows), pred_contribs=True).tobytes()
    refused = ask(connection, body=csv_of(rows), headers=CSV | {"X-Amzn-SageMaker-Custom-Attributes": "secret=true"})
    assert (refused.status, refused.fields["code"]) == (400, "BAD_ATTRIBUTES")


def test_answer_names_the_models_version(connection: http.client.HTTPConnection, server: Server) -> None:
    answer = ask(connection, body=b"1,2,3\n")
    version = server.service.model.sha256[:12]
    assert answer.headers["X-Amzn-SageMaker-Custom-Attributes"] == f"model-version={version}"


def test_answer_that_is_not_accepted(connection: http.client.HTTPConnection) -> None:
    answer = ask(connection, body=b"1,2,3\n", headers=CSV | {"Accept": "text/html"})
    assert (answer.status, answer.fields["code"]) == (406, "NOT_ACCEPTABLE")


def test_execution_parameters(connection: http.client.HTTPConnection, server: Server) -> None:
    answer = ask(connection, "GET", "/execution-parameters")
    expected = {"MaxConcurrentTransforms": 2, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": 1}
    assert (answer.status, answer.fields) == (200, expected)
    larger = replace(server.service, max_body_bytes=6 * 1024 * 1024)
    assert larger.execution_parameters["MaxPayloadInMB"] == 6


def test_empty_body(connection: http.client.HTTPConnection) -> None:
    assert ask(connection, body=b"").fields["code"] == "EMPTY_BODY"


def test_limit_is_a_limit(connection: http.client.HTTPConnection) -> None:
    full = (b"1,2,3\n" * LIMIT)[:LIMIT]
    assert ask(connection, body=full[: -len(full) % 6 or None]).status in {200, 400}
    answer = ask(connection, body=b"1,2,3\n" * LIMIT)
    assert (answer.status, answer.fields["code"]) == (413, "BODY_TOO_LARGE")


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/", 404, None),
        ("POST", "/ping/x", 404, None),
        ("POST", "/ping", 405, "GET"),
        ("POST", "/execution-parameters", 405, "GET"),
        *((method, "/invocations", 405, "POST") for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD")),
    ],
)
def test_other_places_and_methods(
    connection: http.client.HTTPConnection, method: str, path: str, status: int, allow: str | None
) -> None:
    answer = ask(connection, method, path, b"1,2,3" if method == "POST" else None)
    assert (answer.status, answer.headers["Allow"]) == (status, allow)
    assert ask(connection, "GET", "/ping").status == 200


def raw(server: Server, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as talk:
        talk.sendall(request)
        answer = b""
        while chunk := talk.recv(65536):
            answer += chunk
    return answer


HEAD = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\n"


@pytest.mark.parametrize(
    ("rest", "status", "code"),
    [
        (b"Transfer-Encoding: chunked\r\n\r\n5\r\n1,2,3\r\n0\r\n\r\n", b"411", b"LENGTH_REQUIRED"),
        (b"Connection: close\r\n\r\n", b"411", b"LENGTH_REQUIRED"),
        (b"Content-Length: -1\r\n\r\n", b"400", b"BAD_CONTENT_LENGTH"),
        (b"Content-Length: +5\r\n\r\n", b"400", b"BAD_CONTENT_LENGTH"),
        (b"Content-Length: five\r\n\r\n", b"400", b"BAD_CONTENT_LENGTH"),
        (b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", b"400", b"BAD_CONTENT_LENGTH"),
        (b"Content-Length: 99999999999999\r\n\r\n", b"413", b"BODY_TOO_LARGE"),
    ],
)
def test_body_of_unclear_length_closes_the_connection(server: Server, rest: bytes, status: bytes, code: bytes) -> None:
    answer = raw(server, HEAD + rest)
    assert answer.split()[1] == status
    assert code in answer


def test_line_that_is_not_http_is_answered_in_json(server: Server) -> None:
    answer = raw(server, b"hello there general kenobi\r\n\r\n")
    assert b"BAD_REQUEST" in answer
    assert b"general" not in answer


def test_client_that_waits_for_100_continue_is_asked_for_its_body(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=5) as talk:
        talk.sendall(HEAD + b"Content-Length: 6\r\nExpect: 100-continue\r\n\r\n")
        assert talk.recv(100).startswith(b"HTTP/1.1 100 ")
        talk.sendall(b"1,2,3\n")
        assert talk.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_full_server_sends_retry_after_and_serves_ping(server: Server, connection: http.client.HTTPConnection) -> None:
    assert server.service.admission.is_idle_within(5)  # an earlier request may still be on its way out
    with ExitStack() as held:
        for _ in range(4):
            held.enter_context(server.service.admission.place())
        answer = ask(connection, body=b"1,2,3\n")
        assert (answer.status, answer.fields["code"], answer.headers["Retry-After"]) == (503, "BUSY", "1")
        assert ask(connection, "GET", "/ping").status == 200
    assert ask(connection, body=b"1,2,3\n").status == 200


def test_logs_are_json_lines_without_content(
    connection: http.client.HTTPConnection, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(connection, body=b"1,2,3\n4,5,6\n")
    ask(connection, body=b"1,2,secret\n")
    ask(connection, "GET", "/secret")
    ask(connection, "GET", "/ping")
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["status"] for line in lines] == [200, 400, 404]
    assert (lines[0]["rows"], lines[0]["bytes"], lines[0]["wanted"]) == (2, 12, "scores")
    assert 0 <= lines[0]["waited_milliseconds"] <= lines[0]["milliseconds"]
    assert (lines[1]["code"], lines[1]["row"], lines[1]["column"]) == ("NOT_A_NUMBER", 1, 3)
    assert "secret" not in out + err


def test_failing_model_is_answered_and_logged_without_content(
    connection: http.client.HTTPConnection, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(Model, "predict", fail)
    answer = ask(connection, body=b"1,2,3\n")
    assert (answer.status, answer.fields["code"]) == (500, "INTERNAL_ERROR")
    out, err = capsys.readouterr()
    assert json.loads(out.splitlines()[0])["error"] == "RuntimeError"
    assert b"secret" not in answer.body + out.encode() + err.encode()


def test_client_that_leaves_is_logged_in_one_line(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=5) as talk:
        talk.sendall(HEAD + b"Content-Length: 60\r\n\r\n1,2,3\n")
        talk.shutdown(socket.SHUT_WR)
        assert talk.recv(100) == b""
    out, err = capfd.readouterr()
    assert json.loads(out)["event"] == "connection_lost"
    assert err == ""
