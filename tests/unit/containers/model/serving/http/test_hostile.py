"""Hostile requests: each ends soon with a code, and the next valid request is scored correctly."""

from __future__ import annotations

import contextlib
import io
import random
import signal
import time
from collections.abc import Iterator

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
import xgboost

from tests.unit.containers.model.serving.conftest import train, write
from tests.unit.containers.model.serving.running import (
    LIMIT_SECONDS,
    Running,
    post,
    rest_of,
    running,
    send,
    status_and_code,
)

MIB = 1024 * 1024
BODY = 6 * MIB
MAX_GROWTH = 512  # MB beyond the input
HEAD = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\n"
ROWS = {
    features: np.random.default_rng(features).normal(size=(300, features)).astype(np.float32) for features in (1, 30)
}
PIPELINED = b"GET /execution-parameters HTTP/1.1\r\nHost: x\r\n\r\n"


class Target:
    """A server of a model with so many features, and a check that it is healthy."""

    def __init__(self, server: Running, booster: xgboost.Booster, features: int) -> None:
        self.server, self.rows = server, ROWS[features]
        self.expected = booster.predict(xgboost.DMatrix(self.rows, nthread=1))
        self.peak = server.peak_megabytes()

    def check_well(self) -> None:
        body = b"\n".join(b",".join(repr(float(cell)).encode() for cell in row) for row in self.rows)
        answer = self.server.exchange(post(body))
        scores = np.array([float(line) for line in answer.partition(b"\r\n\r\n")[2].splitlines()], np.float32)
        assert scores.tobytes() == self.expected.tobytes()
        assert self.server.peak_megabytes() - self.peak < MAX_GROWTH + BODY // MIB


@contextlib.contextmanager
def target(features: int, folder: pytest.TempPathFactory, **environment: str) -> Iterator[Target]:
    booster = train(ROWS[features], rounds=100)
    with running(write(folder.mktemp("model"), booster), **environment) as server:
        yield Target(server, booster, features)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with target(30, tmp_path_factory) as found:
        yield found


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with target(1, tmp_path_factory) as found:
        yield found


def filled(pattern: bytes, size: int = BODY) -> bytes:
    """Return whole copies of `pattern`, at most `size` bytes."""
    return pattern * (size // len(pattern))


def spread(good: bytes, bad: bytes, count: int = 1001) -> bytes:
    """Return a request of good lines with `count` bad ones at equal distances."""
    lines = [good] * (BODY // (len(good) + 1) - len(bad) * count)
    for number in range(count):
        lines[number * len(lines) // count] = bad
    return b"\n".join(lines)


def compressed_stream() -> bytes:
    table, out = pa.table({"a": pa.array(np.zeros(30_000_000))}), io.BytesIO()
    with pa.ipc.new_stream(out, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    return out.getvalue()


BODIES = [
    ("newlines", "text/csv", filled(b"\n", MIB), 400, "WRONG_COLUMN_COUNT"),
    ("6 MB of newlines", "text/csv", filled(b"\n"), 400, "WRONG_COLUMN_COUNT"),
    ("line ends", "text/csv", filled(b"\r\n"), 400, "WRONG_COLUMN_COUNT"),
    ("commas", "text/csv", filled(b","), 400, "WRONG_COLUMN_COUNT"),
    ("spaces", "text/csv", filled(b" "), 400, "WRONG_COLUMN_COUNT"),
    ("cells of spaces", "text/csv", filled(b" ,"), 400, "WRONG_COLUMN_COUNT"),
    ("quotes", "text/csv", filled(b'"'), 400, "NOT_A_NUMBER"),
    ("carriage returns", "text/csv", filled(b"\r"), 400, "BAD_LINE_END"),
    ("zeros", "text/csv", filled(b"\0"), 400, "WRONG_COLUMN_COUNT"),
    ("a header of commas", "text/csv; header=present", filled(b","), 400, "BAD_HEADER"),
    ("open brackets", "application/json", filled(b"["), 400, "BAD_JSON"),
    ("empty lists", "application/json", b"[" + filled(b"[],")[:-4] + b"]", 400, "WRONG_COLUMN_COUNT"),
    ("objects", "application/json", b"[" + filled(b'{"a":0},')[:-9] + b"]", 400, "NOT_A_ROW"),
    ("bare numbers", "application/jsonlines", filled(b"1\n"), 400, "NOT_A_ROW"),
    ("blank JSON lines", "application/jsonlines", filled(b"\n"), 400, "BAD_JSON"),
    ("short rows", "application/jsonlines", filled(b"[1]\n"), 400, "WRONG_COLUMN_COUNT"),
    ("no Parquet", "application/x-parquet", filled(b"PAR1"), 400, "BAD_TABLE"),
    ("no stream", "application/vnd.apache.arrow.stream", filled(b"\xff\xff\xff\xff\x10\0\0\0"), 400, "BAD_TABLE"),
]
NARROW = [
    ("missing values", "text/csv", filled(b"\n"), 413, "ANSWER_TOO_LARGE"),
    ("a bad last line", "text/csv", filled(b"1\n")[:-2] + b"x", 400, "NOT_A_NUMBER"),
    ("a thousand bad lines", "text/csv", spread(b"1", b"x"), 400, "UNEXPECTED_HEADER"),
    ("a thousand bad JSON lines", "application/jsonlines", spread(b"[1]", b"[x]"), 400, "BAD_JSON"),
    ("many JSON rows", "application/jsonlines", filled(b"[1]\n"), 413, "ANSWER_TOO_LARGE"),
    ("many rows", "application/json", b"[" + filled(b"[1],")[:-5] + b"]", 413, "ANSWER_TOO_LARGE"),
    ("digits", "text/csv", filled(b"9"), 400, "NOT_FINITE"),
    ("a long integer", "application/json", b"[[" + filled(b"9")[:-4] + b"]]", 400, "NOT_FINITE"),
    ("a bomb", "application/vnd.apache.arrow.stream", compressed_stream(), 413, "BODY_TOO_LARGE"),
]


@pytest.mark.parametrize(("what", "kind", "body", "status", "code"), BODIES, ids=[case[0] for case in BODIES])
def test_hostile_body_is_refused_soon(wide: Target, what: str, kind: str, body: bytes, status: int, code: str) -> None:
    refused_soon(wide, kind, body, status, code)


@pytest.mark.parametrize(("what", "kind", "body", "status", "code"), NARROW, ids=[case[0] for case in NARROW])
def test_hostile_body_of_short_rows_is_refused_soon(
    narrow: Target, what: str, kind: str, body: bytes, status: int, code: str
) -> None:
    refused_soon(narrow, kind, body, status, code)


def refused_soon(target: Target, kind: str, body: bytes, status: int, code: str) -> None:
    assert len(body) <= BODY
    begun = target.server.cpu_seconds()
    answer = target.server.exchange(post(body, kind))
    assert target.server.cpu_seconds() - begun < LIMIT_SECONDS
    assert status_and_code(answer) == (status, code)
    assert len(answer) < 2048
    target.check_well()


HEADS = {
    "a line without a colon": HEAD + b"Content-Length: 5\r\nsecret\r\n\r\n",
    "a folded line": HEAD + b"X-A: 1\r\n  folded\r\nContent-Length: 5\r\n\r\n",
    "a space before the colon": HEAD + b"Content-Length : 5\r\n\r\n",
    "a space before the name": HEAD + b" Content-Length: 5\r\n\r\n",
    "an empty name": HEAD + b": 5\r\nContent-Length: 5\r\n\r\n",
    "a bare line feed": HEAD + b"X-A: 1\nContent-Length: 5\r\n\r\n",
    "bare line feeds only": HEAD.replace(b"\r\n", b"\n") + b"Content-Length: 5\n\n",
    "a bare carriage return": HEAD + b"X-A: 1\rContent-Length: 5\r\n\r\n",
    "a zero byte": HEAD + b"X-A: \0\r\nContent-Length: 5\r\n\r\n",
    "a vertical tab": HEAD + b"Content-Length: \x0b5\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 5\r\nContent-Length: 0\r\n\r\n",
    "the same length twice": HEAD + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
    "a list of lengths": HEAD + b"Content-Length: 5, 5\r\n\r\n",
    "a hexadecimal length": HEAD + b"Content-Length: 0x5\r\n\r\n",
    "a signed length": HEAD + b"Content-Length: +5\r\n\r\n",
    "a negative length": HEAD + b"Content-Length: -5\r\n\r\n",
    "an empty length": HEAD + b"Content-Length: \r\n\r\n",
    "a length of 5,000 digits": HEAD + b"Content-Length: " + b"1" * 5000 + b"\r\n\r\n",
    "other digits": HEAD + "Content-Length: ٥\r\n\r\n".encode(),
    "chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
    "chunks and a length": HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
    "chunks in disguise": HEAD + b"Transfer-Encoding: \tchunKed\r\nContent-Length: 5\r\n\r\n",
    "two content types": HEAD + b"Content-Type: application/json\r\nContent-Length: 5\r\n\r\n",
    "two hosts": HEAD + b"Host: y\r\nContent-Length: 5\r\n\r\n",
    "a long line": HEAD + b"X-A: " + b"a" * 20_000 + b"\r\nContent-Length: 5\r\n\r\n",
    "many lines": HEAD + b"A: b\r\n" * 101 + b"Content-Length: 5\r\n\r\n",
    "HTTP/0.9": b"GET /ping\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/1.2": b"GET /ping HTTP/1.2\r\n\r\n",
    "an absolute address": b"GET http://x/ping HTTP/1.1\r\nHost: x\r\n\r\n",
    "an asterisk": b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    "two spaces": b"GET  /ping HTTP/1.1\r\nHost: x\r\n\r\n",
    "a tab": b"GET\t/ping HTTP/1.1\r\nHost: x\r\n\r\n",
    "a blank line first": b"\r\nGET /ping HTTP/1.1\r\nHost: x\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200 + b"\r\n\r\n",
    "zeros": b"\0" * 20_000,
    "letters": b"a" * 20_000,
    "another expectation": HEAD + b"Expect: the inquisition\r\nContent-Length: 5\r\n\r\n",
    "no length": HEAD + b"\r\n",
}


@pytest.mark.parametrize("what", HEADS)
def test_malformed_head_ends_the_connection(wide: Target, what: str) -> None:
    """The bytes after it are never read as a request."""
    answer = wide.server.exchange(HEADS[what] + PIPELINED)
    assert answer.count(b"HTTP/1.1 ") == 1
    status, code = status_and_code(answer)
    assert 400 <= status < 500
    assert code
    assert b"secret" not in answer
    assert b"Connection: close" in answer
    assert b"MaxPayloadInMB" not in answer
    wide.check_well()


def test_requests_in_a_row_are_answered_in_order(wide: Target) -> None:
    answer = wide.server.exchange(PIPELINED + post(b"1,2\n") + PIPELINED)
    assert [part.split()[0] for part in answer.split(b"HTTP/1.1 ")[1:]] == [b"200", b"400", b"200"]


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """Two places, and two seconds for a transfer."""
    with target(30, tmp_path_factory, MAX_RUNNING="1", MAX_WAITING="1", TRANSFER_SECONDS="2") as found:
        yield found


def test_slow_bodies_keep_nobody_out_and_end(hasty: Target) -> None:
    with contextlib.ExitStack() as held:
        slow = [held.enter_context(hasty.server.connected()) for _ in range(20)]
        for talk in slow:
            send(talk, HEAD + b"Content-Length: 600\r\n\r\n1,2")
        hasty.check_well()
        begun = time.monotonic()
        answers = [status_and_code(rest_of(talk)) for talk in slow]
    assert answers == [(503, "TOO_SLOW")] * 20
    assert time.monotonic() - begun < LIMIT_SECONDS


@pytest.mark.parametrize("sent", [b"P", b"POST /invocations HTTP/1.1\r\n", HEAD])
def test_slow_head_ends(hasty: Target, sent: bytes) -> None:
    with hasty.server.connected() as talk:
        send(talk, sent)
        assert status_and_code(rest_of(talk)) == (503, "TOO_SLOW")


def test_slow_request_times_out(hasty: Target) -> None:
    with hasty.server.connected() as talk:
        send(talk, HEAD + b"Content-Length: 600\r\n\r\n")
        begun = time.monotonic()
        talk.settimeout(0.05)
        answer = b""
        while not answer and time.monotonic() - begun < LIMIT_SECONDS:
            send(talk, b"1")
            with contextlib.suppress(TimeoutError):
                answer = talk.recv(1 << 16)
    assert status_and_code(answer) == (503, "TOO_SLOW")


def test_client_that_never_reads_blocks_no_others(hasty: Target) -> None:
    """Its reply of 12 MB does not fit into the system's buffers."""
    body = (b",".join([b"0"] * 30) + b"\n") * 60_000
    leaves = post(body, "text/csv", "X-Amzn-SageMaker-Custom-Attributes: leaves=true")
    with hasty.server.connected() as talk:
        send(talk, leaves)
        hasty.check_well()
        time.sleep(4)
        assert b"Content-Length: 1" in talk.recv(1000)
        assert len(rest_of(talk)) < 10 * MIB
    hasty.check_well()


def test_more_clients_than_connections_are_served_in_turn(hasty: Target) -> None:
    """66 connections are allowed; idle ones are closed for new ones."""
    with contextlib.ExitStack() as held:
        for _ in range(200):
            held.enter_context(hasty.server.connected())
        hasty.check_well()
        for _ in range(100):
            talk = held.enter_context(hasty.server.connected())
            send(talk, b"G")
        hasty.check_well()


def test_client_that_ends_its_side_still_gets_its_answer(wide: Target) -> None:
    answer = wide.server.exchange(post(b"1,2\n"))
    assert status_and_code(answer) == (400, "WRONG_COLUMN_COUNT")


def test_no_100_continue_for_a_refused_request(wide: Target) -> None:
    with wide.server.connected() as talk:
        send(talk, HEAD + b"Content-Length: 99999999\r\nExpect: 100-continue\r\n\r\n")
        answer = rest_of(talk)
    assert status_and_code(answer) == (413, "BODY_TOO_LARGE")
    assert b"100 Continue" not in answer


def test_sigterm_ends_it_with_0_while_slow_bodies_are_open(tmp_path_factory: pytest.TempPathFactory) -> None:
    with target(30, tmp_path_factory) as found, contextlib.ExitStack() as held:
        for _ in range(30):
            talk = held.enter_context(found.server.connected())
            send(talk, HEAD + b"Content-Length: 600\r\n\r\n1,2")
        time.sleep(0.3)
        found.server.process.send_signal(signal.SIGTERM)
        assert found.server.process.wait(20) == 0


FUZZED = [
    HEAD + b"Content-Length: 4\r\n\r\n1,2\n",
    post(b"[[1,2,3]]", "application/json", "Accept: text/csv;q=0.5, */*", "Expect: 100-continue"),
    post(b"[1]\n[2]\n", "application/jsonlines", "X-Amzn-SageMaker-Custom-Attributes: margin=true"),
    PIPELINED + PIPELINED,
]


def mutated(rng: random.Random) -> bytes:
    request = bytearray(rng.choice(FUZZED))
    for _ in range(rng.randint(1, 6)):
        place = rng.randrange(len(request))
        change = rng.randrange(4)
        if change == 0:
            request[place] = rng.randrange(256)
        elif change == 1:
            del request[place : place + rng.randint(1, 9)]
        elif change == 2:
            request[place:place] = rng.choice(
                [b"\r\n", b"\n", b"\r", b":", b" ", b"\0", b"Content-Length: 3\r\n", b"\xff"]
            )
        else:
            request[place:place] = request[place : place + rng.randint(1, 40)]
        request = request or bytearray(b"G")
    return bytes(request)


@pytest.mark.parametrize("seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 40))])
def test_fuzzed_request_is_answered_or_refused(hasty: Target, seed: int) -> None:
    """Send each in its own connection: it gets an HTTP status, or none if the client disconnected early."""
    rng = random.Random(seed)
    for _ in range(100):
        request = mutated(rng)
        answer = hasty.server.exchange(request)
        assert not answer or answer.startswith(b"HTTP/1.1 "), request
        assert b" 500 " not in answer.partition(b"\r\n")[0], request
    hasty.check_well()
