"""Reads from S3 that are slow, break off, are refused, or find something else than before."""

from __future__ import annotations

from typing import Any

from tests.faults.case import READ, Case, one
from tests.faults.cloud import s3_error
from tests.faults.laboratory import Laboratory
from tests.faults.schedule import FOREVER, Answer, Call, Forward, cut, reply, reset
from tests.faults.upload import Upload

SLOW_DOWN = reply(s3_error(503, "SlowDown", "Please reduce your request rate."))
DENIED = reply(s3_error(403, "AccessDenied", "not authorized to perform: kms:Decrypt"))
ERROR = reply(s3_error(500, "InternalError"))
LOOK: dict[str, Any] = {"on": "GetObject", "key": "a.csv", "caller": "submit", "first": 2}  # the first is for a sidecar


def _changed_under_the_read(lab: Laboratory, data: bytes) -> Upload:
    """The bytes behind the version change: on S3 only where versioning is suspended, by a second `null` version."""
    upload = lab.put(data)

    def act(call: Call, forward: Forward) -> Answer:
        answer = cut(0.2)(call, forward)
        lab.cloud.replace(upload.key, upload.version_id, data.replace(b",", b";"))
        return answer

    lab.fault(act, **READ)
    return lab.score(upload)


CASES = [
    one("SlowDown at the read", SLOW_DOWN, READ),
    one("SlowDown at the read for ever", SLOW_DOWN, {**READ, "times": FOREVER}, "FAILED THROTTLED", 3, is_slow=True),
    one("a reset before the read", reset, READ),
    one("a reset in the middle of the read", cut(0.5), READ),
    one("a reset in the middle of the read, four times", cut(0.3), {**READ, "times": 4}),
    one("a read that never gives a byte", cut(0.0), {**READ, "times": FOREVER}, "FAILED READ_BROKEN", 3),
    one("KMS denies the read", DENIED, READ, "FAILED ACCESS_DENIED"),
    Case(
        name="another ETag when a broken read is opened again",
        story=_changed_under_the_read,
        ends="FAILED INPUT_CHANGED",
    ),
    one("SlowDown at the function's look at the file", SLOW_DOWN, LOOK),
    one("the function's look at the file breaks off", cut(0.5), LOOK),
    one("S3 is down for the function's first try", ERROR, {**LOOK, "times": 5}),
    one("KMS denies the function the file", DENIED, {**LOOK, "times": FOREVER}, "FAILED ACCESS_DENIED", 0),
    one(
        "KMS denies the function the sidecar",
        DENIED,
        {**LOOK, "key": ".job.json", "first": 1, "times": FOREVER},
        "FAILED ACCESS_DENIED",
        0,
    ),
    one("S3 is down for every try of the function", ERROR, {**LOOK, "times": FOREVER}, "CLAIMED", 0),
]
