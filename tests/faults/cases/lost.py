"""Lost events, and how the reconciling function handles them."""

from __future__ import annotations

from tests.faults.case import Case
from tests.faults.cases.reads import LOOK
from tests.faults.laboratory import Laboratory
from tests.faults.schedule import FOREVER, reset
from tests.faults.upload import Upload
from tests.faults.verdict import end_of


def _event_lost(lab: Laboratory, data: bytes) -> Upload:
    upload = lab.put(data)
    lab.reconcile()
    return upload


def _every_try_of_the_function_fails(lab: Laboratory, data: bytes) -> Upload:
    """The job is claimed, but never submitted to Batch."""
    lost = lab.fault(reset, on="SubmitJob", times=FOREVER)
    upload = lab.score(lab.put(data))
    lab.schedule.faults.remove(lost)
    lab.check(end_of(lab, upload) == "CLAIMED", f"{end_of(lab, upload)} without Batch")
    lab.reconcile()
    return upload


def _every_look_of_the_function_fails(lab: Laboratory, data: bytes) -> Upload:
    """A file that cannot be looked at is not claimed, and has no job until `reconcile` finds it."""
    lost = lab.fault(reset, **{**LOOK, "times": FOREVER})
    upload = lab.score(lab.put(data))
    lab.schedule.faults.remove(lost)
    lab.check(end_of(lab, upload) == "nothing", f"{end_of(lab, upload)} without a look at the file")
    lab.reconcile()
    return upload


def _word_of_batch_lost(lab: Laboratory, data: bytes) -> Upload:
    """Every attempt is killed, and the event of the failure is lost."""
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
    Case(name="every look of the function lost, and found", story=_every_look_of_the_function_fails),
    Case(
        name="the event of Batch lost, and found", story=_word_of_batch_lost, ends="FAILED SPOT_RECLAIMED", attempts=3
    ),
    Case(name="reconciled again, and nothing is lost", story=_reconciled_again),
]
