"""Large files: an array of shards and the job that publishes them. ROWS has four shards here."""

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

COPIED = {"constants": {"dropscore.aws.objects.MIN_UPLOAD_BYTES": 1}}  # otherwise S3 copies no parts of this size
ALL = 5  # four children and the publishing job
COPY = {"on": "UploadPartCopy", "key": "output/"}
JOIN = {"on": "CompleteMultipartUpload", "key": "output/"}
PART = {"on": "PutObject", "key": "-"}  # the record that completes a part: …/00000-0.json
LIST = {"on": "ListObjectsV2"}


def shards(
    name: str, act: Act | str, at: dict[str, Any], attempts: int = ALL, ends: str = "SUCCEEDED", **more: Any
) -> Case:
    more = {"order": COPIED, "settings": IN_SHARDS, **more}
    return Case(name=f"shards: {name}", faults=(broken(act, **at),), attempts=attempts, ends=ends, **more)


def story_case(name: str, story: Any, attempts: int = ALL, ends: str = "SUCCEEDED", **more: Any) -> Case:
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
    shards("the publishing job terminated while it joins", "terminate", JOIN, ALL + 1),
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
    shards("an error in a 200 reply at a copy", reply(Answer(200, {}, s3_error(200, "InternalError").body)), COPY),
    shards("the joining's reply lost", lose_reply, JOIN),
    shards("a part's reply lost", lose_reply, PART),
    shards("the list of parts breaks off", cut(0.5), LIST),
    shards("a part's record breaks off", cut(0.5), {"on": "GetObject", "key": "-"}, ALL + 1),
    shards("a read breaks off", cut(0.5), {"on": "GetObject", "key": "a.csv", "caller": "worker", "first": 5}),
    shards("the reply to the array's SubmitJob lost", lose_reply, {"on": "SubmitJob"}, 2 * ALL - 1),
]


def _at_once(lab: Laboratory, data: bytes) -> Upload:
    """Children run in parallel, and each event comes ten times; the number of attempts depends on their order."""
    upload = lab.put(data)
    lab.deliver(*[upload.event] * 10)
    lab.settle(side_by_side=3)
    lab.check(lab.batch.attempts % ALL == 0, f"{lab.batch.attempts} attempts are not a multiple of an array's attempts")
    lab.batch.attempts = ALL
    return upload


def _a_new_model(lab: Laboratory, data: bytes, *, first: int) -> Upload:
    """The endpoint changes its model in the middle: the whole output must come from one model, the new one."""

    def redeploy(_call: Call, forward: Forward) -> Answer:
        lab.model.version, lab.model.flavor = "bbbbbbbbbbbb", "b"
        return forward()

    lab.fault(redeploy, on="InvokeEndpoint", first=first)
    return lab.score(lab.put(data))


def _by_the_new(data: bytes) -> bytes:
    return scores(data, "b")


def _named_row(lab: Laboratory, data: bytes) -> Upload:
    """The message names the row's number in the file, whichever shard it is in."""
    upload = lab.score(lab.put(data))
    message = str(lab.cloud.items()[0].get("message"))
    lab.check(re.match(r"row 33\b", message) is not None, f"the wrong row is named: {message}")
    return upload


QUOTED = b"".join(b'%s,"a\nb ""%d"" , \n\n"\n' % (CANARY, number) for number in range(18))
WITH_REFUSED_ROW = rows(40, poison=33)
STORIES = [
    story_case("without faults", lambda lab, data: lab.score(lab.put(data))),
    story_case("in parallel, with ten duplicate events", _at_once),
    story_case(
        "line ends within quotes",
        lambda lab, data: lab.score(lab.put(data)),
        data=QUOTED,
        settings={**IN_SHARDS, "header": False},
    ),
    story_case("a row that the model refuses", _named_row, ALL - 1, "REJECTED NOT_A_NUMBER", data=WITH_REFUSED_ROW),
    story_case(
        "a row that the model refuses, within max_bad_rows",
        lambda lab, data: lab.score(lab.put(data)),
        data=WITH_REFUSED_ROW,
        settings={**IN_SHARDS, "max_bad_rows": 1},
        whole=without_poison,
    ),
    story_case(
        "another model in the middle of a child",
        lambda lab, data: _a_new_model(lab, data, first=2),
        ALL + 1,
        whole=_by_the_new,
    ),
    story_case(
        "another model between two children", lambda lab, data: _a_new_model(lab, data, first=5), whole=_by_the_new
    ),
]
CASES = [*KILLS, *SERVICES, *STORIES]
