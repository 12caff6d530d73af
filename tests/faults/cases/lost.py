"""Events that never come, and what the reconciling function makes of that."""

from __future__ import annotations

from tests.faults.case import Case
from tests.faults.laboratory import Laboratory
from tests.faults.schedule import FOREVER, reset
from tests.faults.upload import Upload
from tests.faults.verdict import end_of


def _event_lost(lab: Laboratory, data: bytes) -> Upload:
    upload = lab.put(data)
    lab.reconcile()
    return upload


def _every_try_of_the_function_fails(lab: Laboratory, data: bytes) -> Upload:
    """The job is claimed, and Batch never hears of it."""
    lost = lab.fault(reset, on="SubmitJob", times=FOREVER)
    upload = lab.score(lab.put(data))
    lab.schedule.faults.remove(lost)
    lab.must(end_of(lab, upload) == "CLAIMED", f"{end_of(lab, upload)} without Batch")
    lab.reconcile()
    return upload


def _word_of_batch_lost(lab: Laboratory, data: bytes) -> Upload:
    """Every attempt is killed, and the event that says so never comes."""
    lab.fault(lab.kill_before, on="InvokeEndpoint", times=FOREVER)
    upload = lab.put(data)
    lab.deliver(upload.event)
    lab.batch.run()
    lab.batch.ended = []
    lab.reconcile()
    return upload


def _reconciled_again(lab: Laboratory, data: bytes) -> Upload:
    upload = lab.score(lab.put(data))
    lab.reconcile()
    lab.reconcile()
    return upload


CASES = [
    Case(name="the event lost, and found", story=_event_lost),
    Case(name="every try of the function lost, and found", story=_every_try_of_the_function_fails),
    Case(name="the word of Batch lost, and found", story=_word_of_batch_lost, ends="FAILED SPOT_RECLAIMED", attempts=3),
    Case(name="looked for, and nothing is lost", story=_reconciled_again),
]
