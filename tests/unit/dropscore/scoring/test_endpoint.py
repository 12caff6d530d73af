"""What the worker sends to an endpoint, and how it bears with one that sleeps or takes little at one time."""

from __future__ import annotations

import io
import random
import threading
import time
from typing import Any

import pytest

from dropscore.errors import BusyError, PermanentError, RowFault, RowsRefusedError
from dropscore.files.requests import Cutter, Request, cut
from dropscore.scoring.endpoint import Endpoint
from dropscore.scoring.pace import Budget, Pace, Retry
from dropscore.scoring.scorer import Scorer
from tests.unit.dropscore.conftest import aws_error, model_error

ASLEEP = aws_error(
    "ValidationError",
    "Inference Component has no capacity to process this request. ApplicationAutoScaling may be in-progress (if "
    "configured) or try to increase the capacity by invoking UpdateInferenceComponentRuntimeConfig API.",
)
TEN_MINUTES = 600.0
ROWS = [f"{number}\n".encode() for number in range(300)]


class Runtime:
    """Answers a body with itself, `after` so many seconds of a clock that stands still until it is told to go on."""

    def __init__(self, after: float = 0.0) -> None:
        self.asked: list[dict[str, Any]] = []
        self.after = after
        self.now = 0.0

    def invoke_endpoint(self, **request: Any) -> dict[str, Any]:
        self.asked.append(request)
        if self.now < self.after:
            raise ASLEEP
        return {"Body": io.BytesIO(request["Body"])}

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def _body(data: bytes = b"1\n") -> Request:
    (body,) = cut([data], 100)
    return body


def test_a_component_is_named_and_an_endpoint_without_one_is_asked_as_before() -> None:
    runtime = Runtime()
    Endpoint(runtime, "fraud")(_body())  # type: ignore[arg-type]
    Endpoint(runtime, "fraud", "a-component")(_body())  # type: ignore[arg-type]
    assert "InferenceComponentName" not in runtime.asked[0]
    assert (runtime.asked[1]["EndpointName"], runtime.asked[1]["InferenceComponentName"]) == ("fraud", "a-component")


def test_an_endpoint_that_sleeps_is_busy_and_says_so() -> None:
    with pytest.raises(BusyError) as said:
        Endpoint(Runtime(after=1), "fraud", "a-component")(_body())  # type: ignore[arg-type]
    assert said.value.code == "ENDPOINT_SCALED_TO_ZERO"
    assert "this request starts one, which takes some minutes" in said.value.message


def test_a_component_that_is_not_there_is_not_waited_for() -> None:
    runtime = Runtime()
    runtime.invoke_endpoint = _raising('Could not find inference component "x".')  # type: ignore[method-assign]
    with pytest.raises(PermanentError, match="ENDPOINT_MISSING"):
        Endpoint(runtime, "fraud", "x")(_body())  # type: ignore[arg-type]


def test_rows_that_the_container_names_are_told_with_their_reasons() -> None:
    said = {"code": "NOT_A_NUMBER", "row": 2, "rows": [["NOT_A_NUMBER", 3, "2"], ["secret", None, "4"]], "more": True}
    runtime = Runtime()
    runtime.invoke_endpoint = lambda **_: _raise(model_error(400, said))  # type: ignore[method-assign]
    with pytest.raises(RowsRefusedError) as caught:
        Endpoint(runtime, "fraud")(_body(b"1\n2\n3\n4\n5\n"))  # type: ignore[arg-type]
    assert list(caught.value.faults) == [
        RowFault(1, "NOT_A_NUMBER", "a cell is not a number", 3),
        RowFault(3, "BAD_ROW", "its container returned HTTP 400"),
    ]
    assert (caught.value.has_more, caught.value.rows) == (True, (2, 2))


def _raise(error: Exception) -> Any:
    raise error


def _raising(message: str) -> Any:
    def refuse(**_: Any) -> None:
        raise aws_error("ValidationError", message)

    return refuse


def test_a_model_that_takes_ten_minutes_to_wake_is_waited_for() -> None:
    random.seed(1)
    runtime = Runtime(after=TEN_MINUTES)
    endpoint = Endpoint(runtime, "fraud", "a-component")  # type: ignore[arg-type]
    retry = Retry(sleep=runtime.sleep, clock=lambda: runtime.now)
    assert retry(lambda: endpoint(_body()), 2, Pace(4), Budget(capacity=0)) == b"1\n"
    assert TEN_MINUTES <= runtime.now < TEN_MINUTES + 60
    assert len(runtime.asked) < 40  # it is woken by the first request; the rest only look


class Serverless(Runtime):
    """Works `most` requests at one time and sends the others back, as a serverless endpoint does."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.places = threading.Semaphore(most)
        self.refused = 0

    def invoke_endpoint(self, **request: Any) -> dict[str, Any]:
        if not self.places.acquire(blocking=False):
            self.refused += 1
            raise aws_error("ThrottlingException", "Rate exceeded", status=429)
        try:
            time.sleep(0.003)
            return super().invoke_endpoint(**request)
        finally:
            self.places.release()


def test_more_in_flight_than_a_serverless_endpoint_takes_still_scores_every_row_in_order() -> None:
    runtime = Serverless(most=2)
    endpoint = Endpoint(runtime, "fraud")  # type: ignore[arg-type]
    quick = Retry(base_seconds=0.002, busy_cap_seconds=0.02)
    scorer = Scorer(
        invoke=endpoint, max_bytes=20, limit_bytes=20, max_concurrent_requests=8, retry=quick, budget=Budget(capacity=0)
    )
    scored = list(scorer.score(Cutter(ROWS, 20)))
    assert b"".join(part.lines for part in scored) == b"".join(ROWS)
    assert runtime.refused > 0
