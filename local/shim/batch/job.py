"""A Batch job as the shim stores it and as Batch's API describes it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

STATES = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED")
FINAL = frozenset({"SUCCEEDED", "FAILED"})
SUMMARY = ("jobArn", "jobId", "jobName", "status", "statusReason", "createdAt", "startedAt", "stoppedAt")


def milliseconds() -> int:
    return time.time_ns() // 1_000_000


@dataclass(kw_only=True)
class Attempt:
    started_at: int
    log_stream: str
    stopped_at: int | None = None
    exit_code: int | None = None
    reason: str | None = None
    status_reason: str = ""
    peak_bytes: int = 0

    def described(self) -> dict[str, Any]:
        container = {"exitCode": self.exit_code, "reason": self.reason, "logStreamName": self.log_stream}
        described: dict[str, Any] = {
            "container": {key: value for key, value in container.items() if value is not None},
            "startedAt": self.started_at,
            "statusReason": self.status_reason,
        }
        return described if self.stopped_at is None else described | {"stoppedAt": self.stopped_at}


@dataclass(kw_only=True)
class Job:
    id: str
    arn: str
    name: str
    queue: str
    definition: str
    parameters: dict[str, str]
    command: list[str]
    environment: dict[str, str]
    max_attempts: int
    timeout_seconds: int | None
    depends_on: list[str] = field(default_factory=list)
    array_size: int | None = None  # of a parent
    parent_size: int | None = None  # of a child
    share: str | None = None  # if the queue has a scheduling policy
    priority: int = 0
    array_index: int | None = None
    parent: str | None = None
    status: str = "SUBMITTED"
    status_reason: str | None = None
    created_at: int = field(default_factory=milliseconds)
    started_at: int | None = None
    stopped_at: int | None = None
    stop_reason: str | None = None  # set by TerminateJob or CancelJob
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def is_final(self) -> bool:
        return self.status in FINAL

    def to_dict(self) -> dict[str, Any]:
        """The job as the shim's state file stores it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, kept: dict[str, Any]) -> Job:
        return cls(**{**kept, "attempts": [Attempt(**attempt) for attempt in kept["attempts"]]})

    def described(self, children: Mapping[str, int]) -> dict[str, Any]:
        """An entry of DescribeJobs, and the detail of a `Batch Job State Change` event.

        `children` counts an array's children by state. `peakMemoryBytes` is not part of AWS's reply: it is the highest
        peak of all attempts.
        """
        container: dict[str, Any] = {
            "command": self.command,
            "environment": [{"name": key, "value": value} for key, value in self.environment.items()],
            "peakMemoryBytes": max((attempt.peak_bytes for attempt in self.attempts), default=0),
        }
        if self.attempts:
            container |= self.attempts[-1].described()["container"]
        described = {
            "jobArn": self.arn,
            "jobId": self.id,
            "jobName": self.name,
            "jobQueue": self.queue,
            "jobDefinition": self.definition,
            "status": self.status,
            "statusReason": self.status_reason,
            "createdAt": self.created_at,
            "startedAt": self.started_at,
            "stoppedAt": self.stopped_at,
            "parameters": self.parameters,
            "dependsOn": [{"jobId": job} for job in self.depends_on],
            "retryStrategy": {"attempts": self.max_attempts},
            "attempts": [attempt.described() for attempt in self.attempts if attempt.stopped_at is not None],
            "container": container,
            "timeout": {"attemptDurationSeconds": self.timeout_seconds} if self.timeout_seconds else None,
            "arrayProperties": self._array(children),
            "shareIdentifier": self.share,
            "schedulingPriority": self.priority if self.share else None,
        }
        return {key: value for key, value in described.items() if value is not None}

    def _array(self, children: Mapping[str, int]) -> dict[str, Any] | None:
        if self.array_size is not None:
            return {"size": self.array_size, "statusSummary": {state: children.get(state, 0) for state in STATES}}
        return None if self.array_index is None else {"index": self.array_index}


def summary(described: Mapping[str, Any]) -> dict[str, Any]:
    """An entry of ListJobs."""
    return {key: described[key] for key in (*SUMMARY, "arrayProperties") if key in described}
