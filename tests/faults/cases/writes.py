"""Writes to S3 that are slow, disconnect, are refused or lose their replies."""

from __future__ import annotations

from tests.faults.case import IN_PARTS, WRITE, Case, broken, single_fault
from tests.faults.cases.endpoint import without_poison
from tests.faults.cases.reads import DENIED, SLOW_DOWN
from tests.faults.cloud import s3_error
from tests.faults.schedule import FOREVER, Answer, lose_reply, reply, reset
from tests.faults.upload import rows

GONE_UPLOAD = reply(s3_error(404, "NoSuchUpload", "The specified upload does not exist."))
CONFLICT = reply(s3_error(409, "ConditionalRequestConflict", "A conflicting conditional operation is in progress."))
JOIN = {"on": "CompleteMultipartUpload", "key": "output/"}
ADD = {"on": "UploadPart", "key": "output/", "first": 2}

CASES = [
    single_fault("SlowDown at the publication", SLOW_DOWN, WRITE),
    single_fault(
        "SlowDown at the publication forever",
        SLOW_DOWN,
        {**WRITE, "times": FOREVER},
        "FAILED THROTTLED",
        3,
        is_slow=True,
    ),
    single_fault("a reset before the publication", reset, WRITE),
    single_fault("the publication's reply lost", lose_reply, WRITE),
    single_fault("the publication's reply lost on every try", lose_reply, {**WRITE, "times": 8}, attempts=2),
    single_fault("KMS denies the publication", DENIED, WRITE, "FAILED ACCESS_DENIED"),
    single_fault("500 at the search for an output", reply(Answer(500)), {"on": "HeadObject"}),
    single_fault("SlowDown at a part", SLOW_DOWN, ADD, order=IN_PARTS),
    single_fault("a part's reply lost", lose_reply, ADD, order=IN_PARTS),
    single_fault(
        "the reply to the beginning of an upload lost",
        lose_reply,
        {"on": "CreateMultipartUpload", "key": "output/"},
        order=IN_PARTS,
    ),
    single_fault("a reset before the parts are joined", reset, JOIN, order=IN_PARTS),
    single_fault("the joining's reply lost", lose_reply, JOIN, order=IN_PARTS),
    single_fault(
        "an error in a 200 reply when the parts are joined",
        reply(Answer(200, {"Content-Type": "application/xml"}, s3_error(200, "InternalError").body)),
        JOIN,
        order=IN_PARTS,
    ),
    Case(
        name="the joining's reply lost, and the second request finds no such upload",
        faults=(broken(lose_reply, **JOIN), broken(GONE_UPLOAD, **JOIN, first=2)),
        order=IN_PARTS,
    ),
    single_fault("409 at the publication: a conditional write is under way", CONFLICT, WRITE),
    single_fault("409 at the joining: a conditional write is under way", CONFLICT, JOIN, attempts=2, order=IN_PARTS),
    single_fault("409 at the record of the publication", CONFLICT, {"on": "PutObject", "key": "record"}),
    single_fault("409 at the manifest", CONFLICT, {"on": "PutObject", "key": "manifest"}),
    single_fault(
        "409 at the list of rejected rows",
        CONFLICT,
        {"on": "PutObject", "key": "errors.csv"},
        data=rows(40, poison=17),
        settings={"max_bad_rows": 1},
        whole=without_poison,
    ),
    single_fault(
        "KMS denies the publication after the list of rejected rows",
        DENIED,
        WRITE,
        "FAILED ACCESS_DENIED",
        data=rows(40, poison=17),
        settings={"max_bad_rows": 1},
    ),
]
