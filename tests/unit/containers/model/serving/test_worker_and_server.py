"""The worker and the model server together: the worker reads the server's refusals of bad rows."""

from __future__ import annotations

import io
import json
import random
from typing import Any

import pytest
from botocore.exceptions import ClientError

from dropscore.files.requests import Cutter
from dropscore.scoring.endpoint import Endpoint
from dropscore.scoring.refusal import parse
from dropscore.scoring.scorer import Scorer
from model.serving.formats import csv_rows
from model.serving.formats.schema import Schema
from model.serving.refusal import RefusalError

FEATURES = 4
CHARACTERS = 2048  # of OriginalMessage, at most


class Runtime:
    """Score each row as its first cell, and pass on refusals as SageMaker's runtime does."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def invoke_endpoint(self, *, Body: bytes, **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's name for it
        self.sizes.append(len(Body))
        try:
            matrix = csv_rows.parse(Body, Schema(features=FEATURES))
        except RefusalError as refusal:
            said = refusal.to_json().decode()
            assert len(said) <= CHARACTERS
            found: Any = {"Error": {"Code": "ModelError"}, "OriginalStatusCode": 400, "OriginalMessage": said}
            raise ClientError(found, "InvokeEndpoint") from None
        return {"Body": io.BytesIO(b"".join(b"%d\n" % cell for cell in matrix[:, 0]))}


@pytest.mark.parametrize(
    ("rows", "share", "requests"),
    [
        (20_833, 1.0, 60),  # this body took 41,665 requests
        (83_000, 0.01, 20),  # 1% of a body of 5 MB
        (83_000, 1 / 83_000, 3),
    ],
)
def test_bad_rows_are_found_in_few_requests(rows: int, share: float, requests: int) -> None:
    chance = random.Random(rows)
    bad = set(chance.sample(range(rows), round(rows * share)))
    data = b"".join(_row(number, chance.randrange(FEATURES) if number in bad else None) for number in range(rows))
    runtime = Runtime()
    endpoint = Endpoint(runtime, "fraud")  # type: ignore[arg-type]
    scorer = Scorer(
        invoke=endpoint, max_bytes=len(data), limit_bytes=len(data), max_concurrent_requests=1, max_bad_rows=rows
    )
    (scored,) = scorer.score(Cutter([data], len(data)))
    assert {row.row - 1 for row in scored.bad} == bad
    assert scored.lines.split(b"\n")[:-1] == [b"" if number in bad else b"%d" % number for number in range(rows)]
    assert len(runtime.sizes) <= requests, len(runtime.sizes)
    assert sum(runtime.sizes) <= 6 * len(data)


def _row(number: int, bad: int | None) -> bytes:
    cells = [b"%d" % number, *[b"%018d" % number] * (FEATURES - 1)]
    if bad is not None:
        cells[bad] = b"x"
    return b",".join(cells) + b"\n"


def test_the_worker_reads_what_the_server_writes() -> None:
    with pytest.raises(RefusalError) as caught:
        csv_rows.parse(b"1,2,3,4\n1,x,3,4\n1,2\n1,y,3,4\n" + b"1,2,3,4\n" * 5 + b"1,2,z,4\n", Schema(features=FEATURES))
    said = caught.value.to_json().decode()
    refusal = parse(said, 10)
    assert [(named.row, named.column, named.code) for named in refusal.rows] == [
        (2, 2, "NOT_A_NUMBER"),
        (3, None, "WRONG_COLUMN_COUNT"),
        (4, 2, "NOT_A_NUMBER"),
        (10, 3, "NOT_A_NUMBER"),
    ]
    assert refusal.has_more is False
    assert json.loads(said)["row"] == 2
