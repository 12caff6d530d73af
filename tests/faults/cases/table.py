"""DynamoDB that is slow, disconnects, refuses or loses replies, and the state that a killed attempt leaves."""

from __future__ import annotations

from tests.faults.case import OF_WORKER, WRITE, Case, single_fault
from tests.faults.cases.reads import ERROR
from tests.faults.cloud import dynamodb_error
from tests.faults.endpoint import scores
from tests.faults.laboratory import Laboratory
from tests.faults.schedule import FOREVER, Answer, Call, Forward, cut, lose_reply, reply
from tests.faults.upload import Upload, rows
from tests.faults.verdict import item_of

THROTTLED = reply(dynamodb_error(400, "ProvisionedThroughputExceededException"))
UNAVAILABLE = reply(dynamodb_error(500, "InternalServerError"))


def _late_publication(lab: Laboratory, data: bytes) -> Upload:
    """The killed attempt's last request takes effect only while its successor, with a new model, is at work."""
    late: list[Forward] = []

    def keep(call: Call, forward: Forward) -> Answer:
        late.append(forward)
        lab.model.version, lab.model.flavor = "bbbbbbbbbbbb", "b"
        return lab.kill_before(call, forward)

    def land(_call: Call, forward: Forward) -> Answer:
        late.pop()()
        return forward()

    lab.fault(keep, **WRITE)
    lab.fault(land, on="InvokeEndpoint", first=10)
    upload = lab.score(lab.put(data))
    named = item_of(lab, upload)["model_version"]
    lab.check(named == "0123456789ab", "the table names a model that did not score this")
    return upload


def _another_list_of_bad_rows(lab: Laboratory, data: bytes) -> Upload:
    """Killed between the list of rejected rows and the output; the next attempt's model rejects no row."""

    def act(call: Call, forward: Forward) -> Answer:
        lab.model.refuses, lab.model.version = False, "bbbbbbbbbbbb"
        return lab.kill_before(call, forward)

    lab.fault(act, **WRITE)
    upload = lab.score(lab.put(data))
    lists = [key for key in lab.cloud.outputs() if key.endswith(".errors.csv")]
    lab.check(not lists, "there is a list of rejected rows, but no row was rejected")
    return upload


def _taken_over(lab: Laboratory, data: bytes) -> Upload:
    """Another attempt becomes the owner while this one works; the next conditional write of this one fails."""

    def act(call: Call, forward: Forward) -> Answer:
        with lab.cloud.lock:
            item = next(item for item in lab.cloud.items() if item["status"] == "RUNNING")
            lab.cloud.table.put_item(Item={**item, "attempt": 2})
        return forward()

    lab.fault(act, on="InvokeEndpoint", first=3)
    return lab.score(lab.put(data))


def _published_then_unreadable(lab: Laboratory, data: bytes) -> Upload:
    """The second attempt finds the output, but cannot read its record."""
    lab.fault(lab.kill_after, **WRITE)
    lab.fault(ERROR, on="GetObject", key="record", times=8)
    return lab.score(lab.put(data))


def _published_then_cut(lab: Laboratory, data: bytes) -> Upload:
    lab.fault(lab.kill_after, **WRITE)
    lab.fault(cut(0.5), on="GetObject", key="record")
    return lab.score(lab.put(data))


CASES = [
    single_fault("DynamoDB throttles the claim", THROTTLED, {"on": "PutItem"}),
    single_fault("the claim's reply lost", lose_reply, {"on": "PutItem"}),
    single_fault("SubmitJob's reply lost", lose_reply, {"on": "SubmitJob"}, attempts=2),
    single_fault("DynamoDB throttles the first write of the worker", THROTTLED, OF_WORKER),
    single_fault("the reply to the ownership lost", lose_reply, OF_WORKER),
    single_fault("the reply to the last progress lost", lose_reply, {**OF_WORKER, "first": 2}),
    single_fault("the reply to SUCCEEDED lost", lose_reply, {**OF_WORKER, "first": 3}),
    single_fault(
        "DynamoDB unavailable to the worker forever",
        UNAVAILABLE,
        {**OF_WORKER, "times": FOREVER},
        "FAILED BATCH_FAILED",
        3,
    ),
    single_fault("DynamoDB unavailable for one attempt", UNAVAILABLE, {**OF_WORKER, "times": 8}, attempts=2),
    single_fault(
        "DynamoDB unavailable for the status SUCCEEDED",
        UNAVAILABLE,
        {**OF_WORKER, "first": 3, "times": 8},
        attempts=2,
    ),
    single_fault(
        "DynamoDB unavailable from the publication on, for every attempt",
        UNAVAILABLE,
        {**OF_WORKER, "first": 3, "times": 40},
        attempts=3,
    ),
    Case(
        name="a killed attempt's publication takes effect while the next one uses another model",
        story=_late_publication,
        attempts=2,
    ),
    Case(
        name="a killed attempt's list of rejected rows, and the next one rejects none",
        data=rows(40, poison=17),
        settings={"max_bad_rows": 1},
        story=_another_list_of_bad_rows,
        attempts=2,
        whole=lambda data: scores(data),
    ),
    Case(name="the condition lost in the middle of the file", story=_taken_over, ends="FAILED NO_RESULT"),
    Case(name="published, and the record cannot be read for a while", story=_published_then_unreadable, attempts=3),
    Case(name="published, and the read of the record breaks off", story=_published_then_cut, attempts=3),
]
