"""Reads from S3 that are slow, disconnect, are refused or return changed data."""

from __future__ import annotations

from typing import Any

from tests.faults.case import READ, Case, single_fault
from tests.faults.cloud import s3_error
from tests.faults.laboratory import Laboratory
from tests.faults.schedule import FOREVER, Answer, Call, Forward, cut, reply, reset
from tests.faults.upload import Upload

SLOW_DOWN = reply(s3_error(503, "SlowDown", "Please reduce your request rate."))
DENIED = reply(s3_error(403, "AccessDenied", "not authorized to perform: kms:Decrypt"))
ERROR = reply(s3_error(500, "InternalError"))
LOOK: dict[str, Any] = {"on": "GetObject", "key": "a.csv", "caller": "submit", "first": 2}  # after the job options


def _changed_under_the_read(lab: Laboratory, data: bytes) -> Upload:
    """The bytes of the version change: S3 allows it only with suspended versioning, by a second `null` version."""
    upload = lab.put(data)

    def act(call: Call, forward: Forward) -> Answer:
        answer = cut(0.2)(call, forward)
        lab.cloud.replace(upload.key, upload.version_id, data.replace(b",", b";"))
        return answer

    lab.fault(act, **READ)
    return lab.score(upload)


CASES = [
    single_fault("SlowDown at the read", SLOW_DOWN, READ),
    single_fault(
        "SlowDown at the read forever", SLOW_DOWN, {**READ, "times": FOREVER}, "FAILED THROTTLED", 3, is_slow=True
    ),
    single_fault("a reset before the read", reset, READ),
    single_fault("a reset in the middle of the read", cut(0.5), READ),
    single_fault("a reset in the middle of the read, four times", cut(0.3), {**READ, "times": 4}),
    single_fault("a read that never gives a byte", cut(0.0), {**READ, "times": FOREVER}, "FAILED READ_BROKEN", 3),
    single_fault("KMS denies the read", DENIED, READ, "FAILED ACCESS_DENIED"),
    Case(
        name="another ETag when a broken read is opened again",
        story=_changed_under_the_read,
        ends="FAILED INPUT_CHANGED",
    ),
    single_fault("SlowDown at the function's look at the file", SLOW_DOWN, LOOK),
    single_fault("the function's look at the file breaks off", cut(0.5), LOOK),
    single_fault("S3 is down for the function's first try", ERROR, {**LOOK, "times": 5}),
    single_fault("KMS denies the function the file", DENIED, {**LOOK, "times": FOREVER}, "FAILED ACCESS_DENIED", 0),
    single_fault(
        "KMS denies the function the job options",
        DENIED,
        {**LOOK, "key": ".job.json", "first": 1, "times": FOREVER},
        "FAILED ACCESS_DENIED",
        0,
    ),
    single_fault("S3 is down for every try of the function", ERROR, {**LOOK, "times": FOREVER}, "nothing", 0),
]
