"""Duplicate, late and unordered events, events of deleted files, and many files at once."""

from __future__ import annotations

from tests.faults.case import READ, Case
from tests.faults.laboratory import Laboratory
from tests.faults.schedule import FOREVER, Answer, Call, Forward, after, cut
from tests.faults.upload import Upload, rows
from tests.faults.verdict import Snapshot, end_of, violations

NEWER = rows(30).replace(b",", b",9")


def _event_twice(lab: Laboratory, data: bytes) -> Upload:
    upload = lab.put(data)
    lab.deliver(upload.event)
    lab.deliver(upload.event)
    lab.settle()
    return upload


def _event_again_after_the_end(lab: Laboratory, data: bytes) -> Upload:
    upload = lab.score(lab.put(data))
    return lab.score(upload)


def _ten_events_at_once(lab: Laboratory, data: bytes) -> Upload:
    upload = lab.put(data)
    lab.deliver(*[upload.event] * 10)
    lab.settle(side_by_side=2)
    lab.batch.attempts = 1  # a duplicate may arrive between claim and SubmitJob: then a second Batch job does nothing
    return upload


def _newer_version_first(lab: Laboratory, data: bytes) -> Upload:
    older = lab.put(data)
    newer = lab.put(NEWER)
    lab.deliver(newer.event)
    lab.deliver(older.event)
    lab.settle(side_by_side=2)
    lab.check(end_of(lab, newer) == "SUCCEEDED", f"the newer version ended {end_of(lab, newer)}")
    lab.found += violations(lab, newer)
    return older


def _both_versions_in_one_millisecond(lab: Laboratory, data: bytes) -> Upload:
    lab.order["clock"] = {"frozen_at": 1_800_000_000.123}
    return _newer_version_first(lab, data)


def _overwritten_before_the_read(lab: Laboratory, data: bytes) -> Upload:
    upload = lab.put(data)
    lab.deliver(upload.event)
    lab.put(NEWER)
    lab.settle()
    return upload


def _deleted_before_the_read(lab: Laboratory, data: bytes) -> Upload:
    """A delete marker hides the version, which still exists."""
    upload = lab.put(data)
    lab.cloud.s3.delete_object(Bucket="bucket", Key=upload.key)
    return lab.score(upload)


def _purged_before_the_read(lab: Laboratory, data: bytes) -> Upload:
    upload = lab.put(data)
    lab.put(NEWER)
    lab.cloud.purge(upload.key, upload.version_id)
    return lab.score(upload)


def _purged_before_the_worker_reads(lab: Laboratory, data: bytes) -> Upload:
    upload = lab.put(data)
    lab.deliver(upload.event)
    lab.cloud.purge(upload.key, upload.version_id)
    lab.settle()
    return upload


def _during_the_read(lab: Laboratory, data: bytes, *, purged: bool) -> Upload:
    upload = lab.put(data)

    def act(call: Call, forward: Forward) -> Answer:
        answer = cut(0.5)(call, forward)
        lab.put(NEWER)
        if purged:
            lab.cloud.purge(upload.key, upload.version_id)
        return answer

    lab.fault(act, **READ)
    return lab.score(upload)


def _late_word_of_batch(lab: Laboratory, data: bytes) -> Upload:
    """Repeats Batch's events, and adds the failure of another Batch job."""
    upload = lab.put(data)
    lab.deliver(upload.event)
    lab.batch.run()
    events = list(lab.batch.ended)
    lab.batch.ended = []
    other_job = {"detail": {**events[0]["detail"], "status": "FAILED", "jobId": "another"}}
    lab.send_batch_events(*events, other_job, *events)
    return upload


def _word_of_the_first_run_meets_the_second(lab: Laboratory, data: bytes) -> Upload:
    """A retry is claimed; before Batch receives it, Batch repeats the failure of the first run."""
    refused = lab.fault(lab.model.refuse_all, on="InvokeEndpoint", times=FOREVER)
    upload = lab.put(data)
    lab.deliver(upload.event)
    lab.batch.run()
    events, lab.batch.ended = lab.batch.ended, []
    lab.schedule.faults.remove(refused)
    lab.fault(after(lambda _call: lab.send_batch_events(*events)), on="PutItem")
    retry = {"upload": {**upload.identity, "size_bytes": len(data)}, "request": {}}
    lab.deliver({"retry": retry})
    lab.settle()
    return upload


def _many_with_one_poison(lab: Laboratory, data: bytes, *, count: int) -> Upload:
    """All other files are scored, in one attempt each."""
    refused = count // 3
    uploads = [
        lab.put(rows(5, poison=3) if number == refused else rows(5 + number % 7), f"input/{number}.csv")
        for number in range(count)
    ]
    for start in range(0, count, 10):
        lab.deliver(*[upload.event for upload in uploads[start : start + 10]])
    lab.settle(side_by_side=2)
    snapshot = Snapshot.of(lab)
    ends = {upload.key: end_of(lab, upload, snapshot) for upload in uploads}
    del ends[uploads[refused].key]
    lab.check(set(ends.values()) == {"SUCCEEDED"}, f"the others ended {set(ends.values())}")
    lab.found += [found for upload in uploads for found in violations(lab, upload, snapshot=snapshot)]
    lab.check(lab.batch.attempts == count, f"it took {lab.batch.attempts} attempts")
    lab.batch.attempts = 1
    return uploads[refused]


CASES = [
    Case(name="the event twice", story=_event_twice),
    Case(name="the event again after the end", story=_event_again_after_the_end),
    Case(name="the event ten times at once", story=_ten_events_at_once),
    Case(name="the newer version's event first", story=_newer_version_first, attempts=2),
    Case(
        name="two versions claimed in one millisecond",
        story=_both_versions_in_one_millisecond,
        attempts=2,
    ),
    Case(name="overwritten before the read", story=_overwritten_before_the_read),
    Case(name="deleted before the read", story=_deleted_before_the_read),
    Case(name="purged before the read", story=_purged_before_the_read, ends="FAILED INPUT_NOT_FOUND", attempts=0),
    Case(name="purged before the worker reads", story=_purged_before_the_worker_reads, ends="FAILED INPUT_NOT_FOUND"),
    Case(name="overwritten during the read", story=lambda lab, data: _during_the_read(lab, data, purged=False)),
    Case(
        name="purged during the read",
        story=lambda lab, data: _during_the_read(lab, data, purged=True),
        ends="FAILED INPUT_NOT_FOUND",
    ),
    Case(name="late and repeated events of Batch", story=_late_word_of_batch),
    Case(
        name="a retry, and a repeated event of the first run's failure",
        story=_word_of_the_first_run_meets_the_second,
        attempts=2,
    ),
    Case(
        name="20 files at once, one with a refused row",
        story=lambda lab, data: _many_with_one_poison(lab, data, count=20),
        ends="REJECTED NOT_A_NUMBER",
    ),
    Case(
        name="1,000 files at once, one with a refused row",
        story=lambda lab, data: _many_with_one_poison(lab, data, count=1000),
        ends="REJECTED NOT_A_NUMBER",
        is_slow=True,
    ),
]
