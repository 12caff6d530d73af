"""The job queue: the order of jobs, their dependencies, and the effects of each state change."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from local.shim.batch.job import Attempt, Job, milliseconds
from local.shim.batch.retry import Outcome, RetryStrategy

HOST_LOST = "Your Spot Task was interrupted."  # Batch's reason on Fargate when the host is lost
DEPENDENCY_FAILED = "Dependent Job failed"
REPUBLISHED_MILLISECONDS = 60_000
CHILD_FAILED = "Array Child Job failed"


class Jobs:
    """The shim's jobs, stored in a file across restarts. `changed` is called with each new state, in order."""

    def __init__(self, file: Path, changed: Callable[[dict[str, Any]], None]) -> None:
        self._file, self._changed = file, changed
        self._jobs: dict[str, Job] = {}
        self._kept: dict[str, str] = {}
        self._unpublished: list[dict[str, Any]] = []
        self.lock = threading.RLock()
        self.runnable = threading.Condition(self.lock)

    def restore(self, strategy: Callable[[Job], RetryStrategy]) -> None:
        """Load the jobs of an earlier process. Its running attempts ended with it, as if their host was lost.

        Recent ends are published again, because the earlier process may have been killed before it published them.
        Events can therefore arrive twice.
        """
        if not self._file.exists():
            return
        recent = self._file.stat().st_mtime * 1000 - REPUBLISHED_MILLISECONDS
        with self.lock:
            for kept in json.loads(self._file.read_text()):
                job = Job.from_dict(kept)
                self._jobs[job.id] = job
                self._kept[job.id] = json.dumps(kept)
            for job in list(self._jobs.values()):
                if job.status in {"STARTING", "RUNNING"} and job.array_size is None:
                    self.end_attempt(job, Outcome(None, status_reason=HOST_LOST), 0, strategy(job))
                elif job.is_final and (job.stopped_at or 0) >= recent:
                    self._unpublished.append(self.described(job))
            self._publish()

    def get(self, job_id: str) -> Job | None:
        with self.lock:
            return self._jobs.get(job_id)

    def where(self, matches: Callable[[Job], bool]) -> list[Job]:
        with self.lock:
            return [job for job in self._jobs.values() if matches(job)]

    def described(self, job: Job) -> dict[str, Any]:
        with self.lock:
            is_array = job.array_size is not None
            return job.described(
                Counter(child.status for child in self._jobs.values() if is_array and child.parent == job.id)
            )

    def add(self, jobs: Sequence[Job]) -> None:
        with self.lock:
            self._jobs.update({job.id: job for job in jobs})
            for job in jobs:
                self._set(job, "SUBMITTED")
            self._settle()

    def take(self) -> Job:
        """Wait for the next job and give it a new attempt: highest priority first, then the oldest."""
        with self.runnable:
            while not (waiting := self.where(lambda job: job.status == "RUNNABLE" and job.array_size is None)):
                self.runnable.wait()
            # All jobs are in one share, so priorities compare across routes (decision 0021).
            job = min(waiting, key=lambda job: (-job.priority, job.created_at))
            stream = f"{job.name}/{job.id.replace(':', '-')}-{len(job.attempts) + 1}"
            job.attempts.append(Attempt(started_at=milliseconds(), log_stream=stream))
            self.move(job, "STARTING")
            return job

    def move(self, job: Job, status: str, reason: str | None = None) -> None:
        with self.lock:
            self._set(job, status, reason)
            self._publish()

    def end_attempt(self, job: Job, outcome: Outcome, peak_bytes: int, strategy: RetryStrategy) -> None:
        """Record the attempt's end and set the job's next state."""
        with self.lock:
            attempt = job.attempts[-1]
            attempt.stopped_at, attempt.peak_bytes = milliseconds(), peak_bytes
            attempt.exit_code, attempt.status_reason = outcome.exit_code, outcome.status_reason
            attempt.reason = outcome.reason or None
            if job.stop_reason is not None:
                self._set(job, "FAILED", job.stop_reason)
            elif outcome.exit_code == 0:
                self._set(job, "SUCCEEDED", outcome.status_reason)
            elif strategy.retries(outcome, len(job.attempts)):
                self._set(job, "RUNNABLE", outcome.status_reason)
            else:
                self._set(job, "FAILED", outcome.status_reason)
            self._settle()

    def stop_waiting(self, job: Job, reason: str) -> bool:
        """Fail a job that has not started. Returns False if it has."""
        with self.lock:
            if job.status not in {"SUBMITTED", "PENDING", "RUNNABLE"}:
                return False
            self._set(job, "FAILED", reason)
            self._settle()
            return True

    def _settle(self) -> None:
        """Apply all consequences: arrays end with their children, dependents start or fail."""
        while sum(self._settle_one(job) for job in self._jobs.values() if not job.is_final):
            pass  # `sum`, not `any`: settle every job, because an array's children wait for the same job
        self._publish()
        self.runnable.notify_all()

    def _settle_one(self, job: Job) -> bool:
        if job.array_size is not None and job.status == "PENDING":
            return self._settle_array(job)
        if job.status not in {"SUBMITTED", "PENDING"} or (job.parent and self._jobs[job.parent].status == "SUBMITTED"):
            return False
        needed = [self._jobs[other].status for other in self._needs(job)]
        if "FAILED" in needed:
            self._set(job, "FAILED", DEPENDENCY_FAILED)
        elif all(status == "SUCCEEDED" for status in needed):
            self._set(job, "RUNNABLE" if job.array_size is None else "PENDING")
        elif job.status == "SUBMITTED":
            self._set(job, "PENDING")
        else:
            return False
        return True

    def _needs(self, job: Job) -> list[str]:
        return self._jobs[job.parent].depends_on if job.parent else job.depends_on

    def _settle_array(self, parent: Job) -> bool:
        children = self.where(lambda job: job.parent == parent.id)
        if any(child.status == "FAILED" for child in children) and all(child.is_final for child in children):
            self._set(parent, "FAILED", CHILD_FAILED)
        elif all(child.status == "SUCCEEDED" for child in children):
            self._set(parent, "SUCCEEDED")
        else:
            return False
        return True

    def _set(self, job: Job, status: str, reason: str | None = None) -> None:
        job.status, job.status_reason = status, reason
        if status == "RUNNING" and job.started_at is None:
            job.started_at = milliseconds()
        if job.is_final:
            job.stopped_at = milliseconds()
        self._unpublished.append(self.described(job))

    def _publish(self) -> None:
        """Write all jobs atomically, then report the changes."""
        changes, self._unpublished = self._unpublished, []
        changed_ids = {detail["jobId"] for detail in changes}
        # Only changed jobs are encoded again, because an array may have thousands.
        self._kept |= {job_id: json.dumps(self._jobs[job_id].to_dict()) for job_id in changed_ids}
        new = self._file.with_suffix(".new")
        new.write_text(f"[{','.join(self._kept[job_id] for job_id in self._jobs)}]")
        new.replace(self._file)
        # After the write: if the process is killed in between, `restore` publishes recent ends again.
        for detail in changes:
            self._changed(detail)
