"""Ends jobs that AWS Batch ended without a final status from the worker, such as after a kill or a timeout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dropscore.aws.table import JobsTable
from dropscore.clock import now
from dropscore.errors import PermanentError
from dropscore.jobs.job import Job, State
from dropscore.log import INFO, WARNING, log
from dropscore.output.manifest import Manifest, summary_of

LOST = "Batch no longer has this job"
"""The reason that `reconcile` gives for a job that Batch has forgotten."""
# Part of Batch's status reason or of the container's reason → error code, and what to do. The first match counts.
CAUSES = (
    ("OutOfMemory", "OUT_OF_MEMORY", "raise worker.memory_mib"),
    ("CannotPull", "IMAGE_PULL", "check that the worker's image is in its repository and that the VPC endpoints work"),
    ("ResourceInitializationError", "START_FAILED", "check that the VPC endpoints exist, then start the job again"),
    ("DockerTimeoutError", "START_FAILED", "the instance was overloaded when it started; start the job again"),
    # Batch reports the reclaim of a spot instance in either of these forms.
    ("Host EC2", "SPOT_RECLAIMED", "spot capacity was taken back on every attempt; start the job again"),
    (
        "Spot Task was interrupted",
        "SPOT_RECLAIMED",
        "spot capacity was taken back on every attempt; start the job again",
    ),
    (LOST, "BATCH_JOB_NOT_FOUND", "start the job again: dropscore retry"),
    ("exceeded timeout", "TIMEOUT", "raise worker.timeout_minutes"),
    (
        "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
        "NO_CAPACITY",
        "AWS had no capacity for worker.queue_timeout_minutes; run dropscore retry, or raise network.max_azs or add "
        "worker.instance_families",
    ),
    (
        "MISCONFIGURATION:",
        "RESOURCES_UNSATISFIABLE",
        "no instance is large enough for such a worker; lower worker.vcpus, worker.memory_mib or worker.gpus, or raise "
        "worker.max_vcpus; then run dropscore retry",
    ),
)


@dataclass(frozen=True, kw_only=True)
class BatchChange:
    """A `Batch Job State Change` event: the status and all reasons that Batch gives."""

    job_id: str | None
    run: int
    batch_job_id: str
    status: str
    reason: str
    attempts: int
    is_array: bool = False
    """Whether it is an array job, after which the publishing job runs."""

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> BatchChange:
        detail = event["detail"]
        attempts = detail.get("attempts", [])
        container = attempts[-1].get("container", {}) if attempts else {}
        reasons = [detail.get("statusReason"), container.get("reason")]
        if "exitCode" in container:
            reasons.append(f"exit code {container['exitCode']}")
        if "logStreamName" in container:
            reasons.append(f"log stream {container['logStreamName']}")
        return cls(
            job_id=detail.get("parameters", {}).get("job_id"),
            run=int(detail.get("parameters", {}).get("run", 1)),
            batch_job_id=detail["jobId"],
            status=detail["status"],
            reason="; ".join(reason for reason in reasons if reason) or "no reason given",
            attempts=len(attempts),
            is_array=bool(detail.get("arrayProperties")),
        )


def track(change: BatchChange, table: JobsTable, finish: Callable[[Job], Manifest | None]) -> bool:
    """Ends a job that Batch ended without a final status from the worker. Returns whether the job was ended now.

    The job ends SUCCEEDED if `finish` finds its output published, because then only the worker's last write was lost;
    otherwise FAILED. All other changes are ignored: the worker writes RUNNING and the final statuses itself.
    Raises JobError if the jobs table or the output cannot be read.
    """
    # An array that succeeded is not the end: its publishing job follows.
    ends = ("FAILED",) if change.is_array else ("FAILED", "SUCCEEDED")
    if change.job_id is None or change.status not in ends:
        return False
    # Batch names a child of an array by the array's id, a colon and the child's index.
    batch_job_id, _, shard = change.batch_job_id.partition(":")
    job = table.find(change.job_id)
    if job is None or job.status.is_final:
        return False
    try:
        # First of all: the last attempt may have been killed after it published, and then the job has succeeded.
        published = finish(job)
        update = _success(published) if published else _failure(change, *_cause(change), shard)
    except PermanentError as error:  # for example, an object of another job is at the output's key
        update = _failure(change, error.code, error.message, shard)
    is_ended = table.end(change.job_id, run=change.run, batch_job_id=batch_job_id, **update)
    code = update.get("code")
    fields = {"job_id": change.job_id, "batch_job_id": change.batch_job_id, "key": job.file}
    log("tracked", WARNING if is_ended and code else INFO, **fields, status=change.status, ended=is_ended, code=code)
    return is_ended


def _success(published: Manifest) -> dict[str, Any]:
    return {"status": State.SUCCEEDED, "finished_at": now(), **summary_of(published)}


def _failure(change: BatchChange, code: str, advice: str, shard: str) -> dict[str, Any]:
    where = f"shard {shard}: " if shard else ""
    message = f"{where}AWS Batch: {change.reason} after {change.attempts} attempt(s); {advice}"
    return {"status": State.FAILED, "finished_at": now(), "code": code, "message": message}


def _cause(change: BatchChange) -> tuple[str, str]:
    if change.status == "SUCCEEDED":
        return "NO_RESULT", "the worker ended without saying how; look at its log, then start the job again"
    for part, code, advice in CAUSES:
        if part in change.reason:
            return code, advice
    return "BATCH_FAILED", "look at the worker's log, then start the job again"
