"""Publishes an event on EventBridge's default bus at the end of each job.

The ends come from the jobs table's stream, so that it does not matter which process wrote them, or whether it was
killed right after. An event may be sent twice, with the same `idempotency_key`. docs/monitoring.md has the schema.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer

from dropscore.aws.items import job_of
from dropscore.clock import seconds_between
from dropscore.jobs.job import Job, State
from dropscore.jobs.routes import errors_key, manifest_key
from dropscore.log import WARNING, about, log
from dropscore.metrics import emit
from schema.events import JOB_FAILED, JOB_REJECTED, JOB_SUCCEEDED, SOURCE

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SCHEMA_VERSION = "1"
TYPES = {State.SUCCEEDED: JOB_SUCCEEDED, State.FAILED: JOB_FAILED, State.REJECTED: JOB_REJECTED}
METRICS = {State.SUCCEEDED: "JobsSucceeded", State.FAILED: "JobsFailed", State.REJECTED: "JobsRejected"}

ALWAYS = ("job_id", "run", "status", "file", "version_id", "route", "model", "model_version", "size_bytes")
TIMES = ("submitted_at", "started_at", "finished_at")
OF_SUCCESS = ("rows", "rows_scored", "rows_rejected", "rows_empty", "output_key")
OF_FAILURE = ("code", "message")

BATCH_SIZE = 10  # the most events that PutEvents accepts
PAUSES_SECONDS = (0.2, 0.8, 3.2)
"""Waits before the events that EventBridge rejected are sent again, without those that it accepted."""
_typed = TypeDeserializer().deserialize


@dataclass(frozen=True, kw_only=True)
class Ending:
    """A job's end, and the sequence number of its record in the stream."""

    job: Job
    sequence_number: str


def endings(records: Iterable[Mapping[str, Any]]) -> Iterator[Ending]:
    """The records that brought a job to its end."""
    for record in records:
        change = record["dynamodb"]
        before, after = (_status(change.get(image, {})) for image in ("OldImage", "NewImage"))
        # The stream has every change of an ended job, too; only the change to the final status is announced.
        if after in TYPES and after != before:
            item = {name: _typed(value) for name, value in change["NewImage"].items()}
            yield Ending(job=job_of(item), sequence_number=change["SequenceNumber"])


def _status(image: Mapping[str, Any]) -> str:
    return str(image.get("status", {}).get("S", ""))


@dataclass(frozen=True, kw_only=True)
class Announcer:
    events: EventBridgeClient
    environment: str
    bucket: str
    sleep: Callable[[float], None] = time.sleep

    def announce(self, records: Iterable[Mapping[str, Any]]) -> str | None:
        """Publishes the ends among the records of a stream, in their order.

        Returns the sequence number of the first one that EventBridge did not accept; None if all are published. Raises
        botocore's errors if EventBridge cannot be reached: the caller then repeats all records.
        """
        ends = endings(records)
        while batch := list(islice(ends, BATCH_SIZE)):
            refused = self._publish(batch)
            for number, ending in enumerate(batch):
                if number in refused:
                    log("unannounced", WARNING, job_id=ending.job.job_id, why=refused[number])
                    # Lambda delivers this record and all after it again, so events after it may be sent twice.
                    return ending.sequence_number
                self._emit_metrics(ending.job)
        return None

    def _publish(self, batch: Sequence[Ending]) -> dict[int, str]:
        """The error codes of the events that EventBridge rejected even after retries, by their index."""
        refused = self._offer(batch, range(len(batch)))
        for pause in PAUSES_SECONDS:
            if not refused:
                break
            self.sleep(pause)
            refused = self._offer(batch, refused)
        return refused

    def _offer(self, batch: Sequence[Ending], numbers: Iterable[int]) -> dict[int, str]:
        numbers = list(numbers)
        answer = self.events.put_events(Entries=[self._entry(batch[number].job) for number in numbers])
        results = zip(numbers, answer["Entries"], strict=True)
        return {number: entry["ErrorCode"] for number, entry in results if "ErrorCode" in entry}

    def _entry(self, job: Job) -> Any:
        entry = {"Source": SOURCE, "DetailType": TYPES[job.status], "Detail": json.dumps(self.detail(job))}
        return entry | ({"Time": datetime.fromisoformat(job.finished_at)} if job.finished_at else {})

    def detail(self, job: Job) -> dict[str, Any]:
        """The detail of the job's event. Names are those of the jobs table; unknown values are left out."""
        is_success = job.status is State.SUCCEEDED
        names = (*ALWAYS, *TIMES, *(OF_SUCCESS if is_success else OF_FAILURE), "rejected_of")
        detail = {
            "schema_version": SCHEMA_VERSION,
            "idempotency_key": f"{job.job_id}/{job.run}",
            "environment": self.environment,
            "bucket": self.bucket,
            **{name: getattr(job, name) for name in names if getattr(job, name) is not None},
        }
        detail |= {"manifest_key": manifest_key(job.output_key)} if is_success else {}
        return detail | ({"errors_key": errors_key(job.output_key)} if is_success and job.rows_rejected else {})

    def _emit_metrics(self, job: Job) -> None:
        values = {METRICS[job.status]: 1.0}
        if job.finished_at:
            values["JobTime"] = max(0.0, seconds_between(job.submitted_at, job.finished_at))
        with about(job_id=job.job_id, key=job.file, run=job.run, status=job.status, code=job.code):
            emit(values, environment=self.environment, model=job.model)
