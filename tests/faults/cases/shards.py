"""Large files: an array of shards and the job that publishes them. ROWS become four shards here."""

from __future__ import annotations

import re
from typing import Any

from tests.faults.case import IN_SHARDS, Case, broken
from tests.faults.cases.endpoint import without_poison
from tests.faults.cases.reads import SLOW_DOWN
from tests.faults.cloud import s3_error
from tests.faults.endpoint import scores
from tests.faults.laboratory import Laboratory
from tests.faults.schedule import FOREVER, Act, Answer, Call, Forward, cut, lose_reply, reply
from tests.faults.upload import CANARY, Upload, rows

COPIED = {"constants": {"dropscore.aws.objects.MIN_UPLOAD_BYTES": 1}}  # else S3 copies nothing so small by itself
ALL = 5  # four children and the one that publishes
COPY = {"on": "UploadPartCopy", "key": "output/"}
JOIN = {"on": "CompleteMultipartUpload", "key": "output/"}
PART = {"on": "PutObject", "key": "-"}  # the record that makes a part count: …/00000-0.json
LIST = {"on": "ListObjectsV2"}


def shards(
    name: str, act: Act | str, at: dict[str, Any], attempts: int = ALL, ends: str = "SUCCEEDED", **more: Any
) -> Case:
    more = {"order": COPIED, "settings": IN_SHARDS, **more}
    return Case(name=f"shards: {name}", faults=(broken(act, **at),), attempts=attempts, ends=ends, **more)


def told(name: str, story: Any, attempts: int = ALL, ends: str = "SUCCEEDED", **more: Any) -> Case:
    more = {"order": COPIED, "settings": IN_SHARDS, **more}
    return Case(name=f"shards: {name}", story=story, attempts=attempts, ends=ends, **more)


KILLS = [
    shards("the function killed between array and publishing job", "kill_after", {"on": "SubmitJob"}, 2 * ALL - 1),
    shards("a child killed with a request sent", "kill_before", {"on": "InvokeEndpoint", "first": 3}, ALL + 1),
    shards("a child killed before its part counts", "kill_before", PART, ALL + 1),
    shards("a child killed after its part counts", "kill_after", PART, ALL + 1),
    shards("the publishing job killed after it listed the parts", "kill_after", LIST, ALL + 1),
    shards("the publishing job killed after it copied a part", "kill_after", {**COPY, "first": 2}, ALL + 1),
    shards("the publishing job killed before it joins", "kill_before", JOIN, ALL + 1),
    shards("the publishing job killed after it joined", "kill_after", JOIN, ALL + 1),
    shards("the publishing job told to stop while it joins", "terminate", JOIN, ALL + 1),
    shards("a child stalled, woken after the end", "stall", {"on": "InvokeEndpoint", "first": 3}, ALL + 1),
    shards("a child stalled before its part counts", "stall", PART, ALL + 1),
    shards("the publishing job stalled before it joins", "stall", JOIN, ALL + 1),
    shards(
        "every child killed again and again",
        "kill_before",
        {"on": "InvokeEndpoint", "times": FOREVER},
        12,
        "FAILED SPOT_RECLAIMED",
    ),
]

SERVICES = [
    shards("SlowDown at a copy", SLOW_DOWN, COPY, is_slow=True),
    shards("a copy's reply lost", lose_reply, COPY),
    shards("an error inside of a 200 at a copy", reply(Answer(200, {}, s3_error(200, "InternalError").body)), COPY),
    shards("the joining's reply lost", lose_reply, JOIN),
    shards("a part's reply lost", lose_reply, PART),
    shards("the list of parts breaks off", cut(0.5), LIST),
    shards("a part's record breaks off", cut(0.5), {"on": "GetObject", "key": "-"}, ALL + 1),
    shards("a read breaks off", cut(0.5), {"on": "GetObject", "key": "a.csv", "caller": "worker", "first": 5}),
    shards("the reply to the array's SubmitJob lost", lose_reply, {"on": "SubmitJob"}, 2 * ALL - 1),
]


def _at_once(lab: Laboratory, data: bytes) -> Upload:
    """Children side by side, and each event ten times; how many attempts that takes depends on who is first."""
    upload = lab.put(data)
    lab.deliver(*[upload.event] * 10)
    lab.settle(side_by_side=3)
    lab.must(lab.batch.attempts % ALL == 0, f"{lab.batch.attempts} attempts are no whole number of arrays")
    lab.batch.attempts = ALL
    return upload


def _a_new_model(lab: Laboratory, data: bytes, *, first: int) -> Upload:
    """The endpoint gets a model of other scores in the middle: all of the output must be by one, and is by the new."""

    def redeploy(_call: Call, forward: Forward) -> Answer:
        lab.model.version, lab.model.flavor = "bbbbbbbbbbbb", "b"
        return forward()

    lab.fault(redeploy, on="InvokeEndpoint", first=first)
    return lab.score(lab.put(data))


def _by_the_new(data: bytes) -> bytes:
    return scores(data, "b")


def _named_row(lab: Laboratory, data: bytes) -> Upload:
    """The row's number in the file, whichever shard it is in."""
    upload = lab.score(lab.put(data))
    said = str(lab.cloud.items()[0].get("message"))
    lab.must(re.match(r"row 33\b", said) is not None, f"the wrong row is named: {said}")
    return upload


QUOTED = b"".join(b'%s,"a\nb ""%d"" , \n\n"\n' % (CANARY, number) for number in range(18))
POISONED = rows(40, poison=33)
STORIES = [
    told("in peace", lambda lab, data: lab.score(lab.put(data))),
    told("side by side, the event ten times at once", _at_once),
    told(
        "line ends inside of quotes",
        lambda lab, data: lab.score(lab.put(data)),
        data=QUOTED,
        settings={**IN_SHARDS, "header": False},
    ),
    told("a poisoned row", _named_row, ALL - 1, "REJECTED NOT_A_NUMBER", data=POISONED),
    told(
        "a poisoned row within the allowance",
        lambda lab, data: lab.score(lab.put(data)),
        data=POISONED,
        settings={**IN_SHARDS, "max_bad_rows": 1},
        whole=without_poison,
    ),
    told(
        "another model in the midst of a child",
        lambda lab, data: _a_new_model(lab, data, first=2),
        ALL + 1,
        whole=_by_the_new,
    ),
    told("another model between two children", lambda lab, data: _a_new_model(lab, data, first=5), whole=_by_the_new),
]
CASES = [*KILLS, *SERVICES, *STORIES]
