"""Endpoints that refuse, fail, hang, disconnect or send invalid replies, once or forever."""

from __future__ import annotations

import threading
from typing import Any

from tests.faults.case import Case, broken
from tests.faults.endpoint import garble, limit, model_error, rows_of, runtime_error, score
from tests.faults.laboratory import Laboratory
from tests.faults.schedule import FOREVER, Act, Answer, Call, Forward, cut, reply, reset
from tests.faults.upload import Upload, rows

INVOKE = "InvokeEndpoint"
HASTY = {"timeout_seconds": 0.3}
BUSY = runtime_error(400, "ThrottlingException")
ONCE: dict[str, Any] = {"first": 2}
EVER: dict[str, Any] = {"times": FOREVER}


def _ends(what: str, act: Act, ends: str, attempts: int = 1, *, when: dict[str, Any] = EVER, **more: Any) -> Case:
    return Case(name=what, faults=(broken(act, INVOKE, **when),), ends=ends, attempts=attempts, **more)


def _survived(what: str, act: Act, **more: Any) -> Case:
    return _ends(f"{what} once", act, "SUCCEEDED", when=ONCE, **more)


def hang(_call: Call, _forward: Forward) -> Answer:
    """Takes longer than any client of these cases waits."""
    threading.Event().wait(2.0)
    return Answer(200)


def _new_model(*, each_time: bool) -> Act:
    """Changes the endpoint's model in the middle of the file, or for every request."""

    def act(_call: Call, forward: Forward) -> Answer:
        answer = forward()
        version = f"{threading.get_ident():x}.{id(answer):x}" if each_time else "bbbbbbbbbbbb"
        return Answer(
            200, {**answer.headers, "X-Amzn-SageMaker-Custom-Attributes": f"model-version={version}"}, answer.body
        )

    return act


def without_poison(data: bytes) -> bytes:
    return b"".join((b"" if b"poison" in row else score(row, "")) + b"\n" for row in rows_of(data))


def _limit_is_remembered(lab: Laboratory, data: bytes) -> Upload:
    """The second file needs no request that is too large."""
    lab.score(lab.put(data, "input/first.csv"))
    requests_before = len(lab.model.bodies)
    lab.schedule.faults.clear()
    refused = lab.fault(limit(50), on=INVOKE, times=FOREVER)
    upload = lab.score(lab.put(data, "input/second.csv"))
    lab.check(refused.seen == len(lab.model.bodies) - requests_before, "a request was too large again")
    lab.batch.attempts -= 1
    return upload


FIVES = [
    _survived("500 of the container", reply(model_error(500))),
    _survived("503 of the container", reply(model_error(503))),
    _survived("429 of the container", reply(model_error(429))),
    _survived("500 of the runtime", reply(runtime_error(500, "InternalFailure"))),
    _survived("503 of the runtime", reply(runtime_error(503, "ServiceUnavailable"))),
    _survived("throttling of the runtime", reply(BUSY)),
    _survived("an expired token", reply(runtime_error(403, "ExpiredTokenException"))),
    _ends("500 of the container forever", reply(model_error(500)), "FAILED MODEL_FAILED", 3),
    _ends("429 of the container forever", reply(model_error(429)), "FAILED MODEL_FAILED", 3, is_slow=True),
    _ends("503 of the runtime forever", reply(runtime_error(503, "ServiceUnavailable")), "FAILED THROTTLED", 3),
    _ends("throttling of the runtime forever", reply(BUSY), "FAILED THROTTLED", 3, is_slow=True),
]

FOURS = [
    _survived("400 of the container", reply(model_error(400, "no"))),
    _ends("400 of the container forever", reply(model_error(400, "canary7391")), "REJECTED BAD_ROW"),
    Case(name="a row that the model refuses", data=rows(40, poison=17), ends="REJECTED NOT_A_NUMBER"),
    Case(
        name="a row that the model refuses, within max_bad_rows",
        data=rows(40, poison=17),
        settings={"max_bad_rows": 1},
        whole=without_poison,
    ),
    _ends("403 of the runtime", reply(runtime_error(403, "AccessDeniedException")), "FAILED ACCESS_DENIED", when=ONCE),
    _ends(
        "no such endpoint",
        reply(runtime_error(400, "ValidationError", "Endpoint endpoint of account 1 not found.")),
        "FAILED ENDPOINT_MISSING",
    ),
    _survived("413 of the runtime", reply(runtime_error(413, ""))),
    _survived("413 of the container", reply(model_error(413))),
    _ends("413 over 50 bytes", limit(50), "SUCCEEDED"),
    _ends("413 over 50 bytes, the next file", limit(50), "SUCCEEDED", story=_limit_is_remembered),
    _ends("413 of the runtime forever", reply(runtime_error(413, "")), "REJECTED ROW_TOO_LARGE"),
]

WIRES = [
    _survived("a hang", hang, order=HASTY),
    _ends("a hang forever", hang, "FAILED AWS_UNREACHABLE", 3, order={"timeout_seconds": 0.05}),
    _survived("a reset before the reply", reset),
    _ends("a reset before the reply forever", reset, "FAILED AWS_UNREACHABLE", 3),
    _survived("a reset in the middle of the reply", cut(0.5)),
    _ends("a reset in the middle of the reply forever", cut(0.5), "FAILED AWS_UNREACHABLE", 3),
    _survived("a reset after the reply's headers", cut(0.0)),
]

REPLIES = [
    _ends("a reply one score short", garble(drop=1), "FAILED BAD_RESPONSE", when=ONCE),
    _ends("a reply one score long", garble(add=b"0.5\n"), "FAILED BAD_RESPONSE", when=ONCE),
    _ends("a reply with NaN", garble(b"NaN\n"), "FAILED BAD_RESPONSE", when=ONCE),
    _ends("a reply with infinity", garble(b"-inf\n"), "FAILED BAD_RESPONSE", when=ONCE),
    _ends("a reply with an empty line", garble(b"\n"), "FAILED BAD_RESPONSE", when=ONCE),
    _ends("an empty reply", reply(Answer(200)), "FAILED BAD_RESPONSE", when=ONCE),
    _ends(
        "a page of HTML as the reply",
        reply(Answer(200, {}, b"<html>canary7391</html>")),
        "FAILED BAD_RESPONSE",
        when=ONCE,
    ),
    _ends(
        "another model in the middle of the file",
        _new_model(each_time=False),
        "SUCCEEDED",
        2,
        when={"first": 4, "times": FOREVER},
    ),
    _ends("another model at each request", _new_model(each_time=True), "FAILED MODEL_CHANGED", 3),
]
CASES = [*FIVES, *FOURS, *WIRES, *REPLIES]
