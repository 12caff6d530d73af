"""Workers that are terminated, stalled or starved of resources, or have a wrong clock."""

from __future__ import annotations

import os
from dataclasses import replace

from tests.faults.case import IN_PARTS, READ, Case, broken
from tests.faults.laboratory import Laboratory
from tests.faults.schedule import Answer, Call, Forward, ResetError, cut
from tests.faults.upload import Upload

HOUR = 3600.0


def _killed_in_the_middle_of_the_read(lab: Laboratory, data: bytes) -> Upload:
    def act(call: Call, forward: Forward) -> Answer:
        return replace(cut(0.5)(call, forward), then=lab.process_of(call).kill)

    lab.fault(act, **READ)
    return lab.score(lab.put(data))


def _out_of_memory(lab: Laboratory, data: bytes) -> Upload:
    def act(call: Call, forward: Forward) -> Answer:
        reason = "OutOfMemoryError: Container killed due to memory usage"
        lab.batch.last_words[lab.process_of(call).id] = (reason, "Essential container in task exited")
        return lab.kill_before(call, forward)

    lab.fault(act, on="InvokeEndpoint", first=2)
    return lab.score(lab.put(data))


def _terminated_and_killed(lab: Laboratory, data: bytes) -> Upload:
    def act(call: Call, _forward: Forward) -> Answer:
        lab.terminate(call)
        lab.process_of(call).kill()
        raise ResetError

    lab.fault(act, on="InvokeEndpoint", first=2)
    return lab.score(lab.put(data))


def _no_file_can_be_written(lab: Laboratory, data: bytes) -> Upload:
    """No file can be written on any disk; the log uses a pipe, as in a container."""
    upload = lab.put(data)
    lab.deliver(upload.event)
    pipe = lab.folder / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    lab.order |= {"log": str(pipe), "limits": {"RLIMIT_FSIZE": 0}}
    try:
        lab.settle()
        (lab.folder / "piped.log").write_bytes(os.read(reading, 1 << 16))
    finally:
        os.close(reading)
    return upload


def _the_last_one_wakes_first(lab: Laboratory, data: bytes) -> Upload:
    """The stalled attempt resumes and runs to its end while its successor is at work."""

    def wake(call: Call, forward: Forward) -> Answer:
        lab.wake()
        return forward()

    upload = lab.put(data)
    lab.deliver(upload.event)
    lab.fault(wake, on="InvokeEndpoint", first=5)
    lab.settle()
    return upload


SIGNALS = [
    Case(name="killed in the middle of the read", story=_killed_in_the_middle_of_the_read, attempts=2),
    Case(
        name="terminated with time left",
        faults=(broken("terminate", "InvokeEndpoint", first=2),),
        attempts=2,
    ),
    Case(
        name="terminated with time left, started as a container is",
        faults=(broken("terminate", "InvokeEndpoint", first=2),),
        settings={"is_real_start": True},
        attempts=2,
    ),
    Case(name="terminated while it publishes", faults=(broken("terminate", "PutObject"),), attempts=2),
    Case(
        name="terminated while it joins the parts",
        faults=(broken("terminate", "CompleteMultipartUpload"),),
        order=IN_PARTS,
        attempts=2,
    ),
    Case(name="terminated without time", story=_terminated_and_killed, attempts=2),
    Case(name="out of memory", story=_out_of_memory, ends="FAILED OUT_OF_MEMORY"),
    Case(name="no file can be written", story=_no_file_can_be_written),
]

STALLS = [
    Case(
        name="stalled with a request sent, woken after the end",
        faults=(broken("stall", "InvokeEndpoint", first=3),),
        attempts=2,
    ),
    Case(name="stalled before it publishes, woken after the end", faults=(broken("stall", "PutObject"),), attempts=2),
    Case(
        name="stalled before it joins the parts, woken after the end",
        faults=(broken("stall", "CompleteMultipartUpload"),),
        order=IN_PARTS,
        attempts=2,
    ),
    Case(
        name="stalled before the status SUCCEEDED, woken after the end",
        faults=(broken("stall", "UpdateItem", caller="worker", first=3),),
        attempts=2,
    ),
    Case(
        name="stalled, woken while its successor works",
        faults=(broken("stall", "InvokeEndpoint", first=3),),
        story=_the_last_one_wakes_first,
        attempts=2,
    ),
]

CLOCKS = [
    Case(name="clocks an hour ahead", order={"clock": {"shift_seconds": HOUR}}),
    Case(name="clocks an hour behind", order={"clock": {"shift_seconds": -HOUR}}),
]


def _each_attempt_an_hour_earlier(lab: Laboratory, data: bytes) -> Upload:
    """The killed attempt's clock is an hour ahead of its successor's."""

    def act(call: Call, forward: Forward) -> Answer:
        lab.order["clock"] = {"shift_seconds": -HOUR}
        return lab.kill_before(call, forward)

    lab.fault(act, on="PutObject")
    return lab.score(lab.put(data))


CLOCKS.append(
    Case(
        name="the second attempt's clock two hours behind the first's",
        order={"clock": {"shift_seconds": HOUR}},
        story=_each_attempt_an_hour_earlier,
        attempts=2,
    )
)
CASES = [*SIGNALS, *STALLS, *CLOCKS]
