"""What AWS Batch says of a job becomes the job's state, where the worker itself could not say it any more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dropscore.aws.table import JobsTable
from dropscore.jobs import now
from dropscore.log import log

# Part of Batch's status reason or the container's reason → our code, and what to do about it.
CAUSES = (
    ("OutOfMemory", "OUT_OF_MEMORY", "raise worker.memory_mib"),
    ("CannotPull", "IMAGE_PULL", "see that the worker's image is in its repository and the VPC endpoints reach it"),
    ("Host EC2", "SPOT_RECLAIMED", "spot capacity was taken back on every attempt; start the job again"),
    (
        "Spot Task was interrupted",
        "SPOT_RECLAIMED",
        "spot capacity was taken back on every attempt; start the job again",
    ),
    ("exceeded timeout", "TIMEOUT", "raise worker.timeout_minutes"),
)


@dataclass(frozen=True, kw_only=True)
class BatchChange:
    """A `Batch Job State Change`: the state and every reason that Batch gives."""

    job_id: str | None
    batch_job_id: str
    status: str
    reason: str
    attempts: int
    is_array: bool = False
    """The array itself, or one of its children: the publishing job comes after it."""

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> BatchChange:
        detail = event["detail"]
        attempts = detail.get("attempts", [])
        container = attempts[-1].get("container", {}) if attempts else {}
        said = [detail.get("statusReason"), container.get("reason")]
        if "exitCode" in container:
            said.append(f"exit code {container['exitCode']}")
        if "logStreamName" in container:
            said.append(f"log stream {container['logStreamName']}")
        return cls(
            job_id=detail.get("parameters", {}).get("job_id"),
            batch_job_id=detail["jobId"],
            status=detail["status"],
            reason="; ".join(part for part in said if part) or "no reason given",
            attempts=len(attempts),
            is_array=bool(detail.get("arrayProperties")),
        )


def track(change: BatchChange, table: JobsTable) -> bool:
    """Ends the job as FAILED where Batch ended it without a word of the worker. All other changes need nothing:
    the worker writes RUNNING and the final states itself, and what is late or not the owner's changes nothing.

    Whether the job was ended now.
    """
    ends = ("FAILED",) if change.is_array else ("FAILED", "SUCCEEDED")
    if change.job_id is None or change.status not in ends:
        return False
    code, advice = _cause(change)
    message = f"AWS Batch: {change.reason} after {change.attempts} attempt(s); {advice}"
    batch_job_id, _, shard = change.batch_job_id.partition(":")
    if shard:
        message = f"shard {shard}: {message}"
    ended = table.end(change.job_id, batch_job_id=batch_job_id, code=code, message=message, finished_at=now())
    log("tracked", job_id=change.job_id, batch_job_id=change.batch_job_id, status=change.status, ended=ended, code=code)
    return ended


def _cause(change: BatchChange) -> tuple[str, str]:
    if change.status == "SUCCEEDED":
        return "NO_RESULT", "the worker ended without saying how; look at its log, then start the job again"
    for part, code, advice in CAUSES:
        if part in change.reason:
            return code, advice
    return "BATCH_FAILED", "look at the worker's log, then start the job again"
