"""Workers and functions that are killed after each of their side effects, and before the important ones."""

from __future__ import annotations

from typing import Any

from tests.faults.case import IN_PARTS, READ, WRITE, Case, broken
from tests.faults.schedule import FOREVER

JOIN: dict[str, Any] = {"on": "CompleteMultipartUpload", "key": "output/", "order": IN_PARTS}


def _killed(when: str, act: str, on: str, *, attempts: int = 2, order: Any = None, **at: Any) -> Case:
    return Case(name=f"killed {when}", faults=(broken(act, on, **at),), attempts=attempts, order=order or {})


CASES = [
    _killed("after the claim", "kill_after", "PutItem", attempts=1),
    _killed("after SubmitJob, before the status SUBMITTED", "kill_after", "SubmitJob"),
    _killed("after the status SUBMITTED", "kill_after", "UpdateItem", caller="submit", attempts=1),
    _killed("before it owns the job", "kill_before", "UpdateItem", caller="worker"),
    _killed("after it owns the job", "kill_after", "UpdateItem", caller="worker"),
    _killed("after the read began", "kill_after", **READ),
    _killed("with a request sent", "kill_before", "InvokeEndpoint", first=3),
    _killed("with a request answered", "kill_after", "InvokeEndpoint", first=3),
    _killed("before the record of the publication", "kill_before", "PutObject", key="parts/"),
    _killed("after the record of the publication", "kill_after", "PutObject", key="parts/"),
    _killed("before it publishes", "kill_before", **WRITE),
    _killed("after it published", "kill_after", **WRITE),
    _killed("after the manifest, without a status", "kill_after", **{**WRITE, "first": 2}),
    _killed("after the status SUCCEEDED", "kill_after", "UpdateItem", caller="worker", first=3),
    _killed("after the multipart upload began", "kill_after", "CreateMultipartUpload", order=IN_PARTS, key="output/"),
    _killed("after a part was written", "kill_after", "UploadPart", order=IN_PARTS, key="output/", first=2),
    _killed("before the parts are joined", "kill_before", **JOIN),
    _killed("after the parts were joined, without a status", "kill_after", **JOIN),
    Case(
        name="killed with a request sent, started as a container is",
        faults=(broken("kill_before", "InvokeEndpoint", first=3),),
        settings={"is_real_start": True},
        attempts=2,
    ),
    Case(
        name="killed on every attempt",
        faults=(broken("kill_before", "InvokeEndpoint", first=2, times=FOREVER),),
        ends="FAILED SPOT_RECLAIMED",
        attempts=3,
    ),
]
