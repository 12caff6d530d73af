"""AWS Batch in the fault laboratory: the embedded cloud's queue and retry rules, and attempts that can break."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from local.shim.batch.attempt import substitute
from local.shim.batch.job import Job
from local.shim.batch.queue import HOST_LOST, Jobs
from local.shim.batch.retry import Outcome, RetryStrategy, Rule
from local.shim.batch.submission import create_jobs
from local.shim.resources import JobDefinition, Queue
from tests.faults.processes import PATIENCE_SECONDS, Process
from tests.faults.schedule import Answer, Call

QUEUE, DEFINITION = (
    "arn:aws:batch:us-east-1:123456789012:job-queue/q",
    "arn:aws:batch:us-east-1:123456789012:job-definition/d:1",
)
EXITED = "Essential container in task exited"
# As the worker stack renders them; tests/stacks/scoring/test_worker.py checks that both are equal.
RULES = (
    Rule("EXIT", exit_code="1"),
    Rule("EXIT", exit_code="10"),
    Rule("EXIT", reason="OutOfMemory*"),
    Rule("EXIT", status_reason="OutOfMemory*"),
)
Start = Callable[[list[str], dict[str, str]], Process]


class _Jobs(Jobs):
    """Saves nothing: no job outlives its case."""

    def _save(self) -> None:
        pass


class Batch:
    """Jobs wait until `run`. `start` starts an attempt's process; `ended` holds the events of finished jobs."""

    def __init__(self, folder: Path, start: Start, attempts: int = 3) -> None:
        self._start = start
        self.definition = JobDefinition(
            arn=DEFINITION,
            name="d",
            image="worker",
            command=("score", "--job-id", "Ref::job_id"),
            environment={},
            job_role_arn=None,
            parameters={"job_id": "none"},
            retry=RetryStrategy(attempts, RULES),
            timeout_seconds=None,
            scheduling_priority=0,
        )
        self.ended: list[dict[str, Any]] = []
        self.abandoned: list[Process] = []
        self.attempts = 0
        self.last_words: dict[int, tuple[str, str]] = {}  # process id → container's reason, status reason
        self._jobs = _Jobs(folder / "batch.json", self._changed)
        self._running = 0

    def answer(self, call: Call) -> Answer:
        """Answers SubmitJob."""
        jobs = create_jobs(json.loads(call.body), self.definition, Queue(arn=QUEUE, has_shares=True))
        self._jobs.add(jobs)
        reply = {"jobId": jobs[0].id, "jobArn": jobs[0].arn, "jobName": jobs[0].name}
        return Answer(200, {"Content-Type": "application/json"}, json.dumps(reply).encode())

    def describe(self, call: Call) -> Answer:
        """Answers DescribeJobs."""
        found = [self._jobs.described(job) for name in json.loads(call.body)["jobs"] if (job := self._jobs.get(name))]
        return Answer(200, {"Content-Type": "application/json"}, json.dumps({"jobs": found}).encode())

    def run(self, side_by_side: int = 1) -> None:
        """Runs until no more jobs can start."""
        with ThreadPoolExecutor(side_by_side) as pool:
            for done in [pool.submit(self._work) for _ in range(side_by_side)]:
                done.result()

    def abandon(self, process: Process) -> None:
        """Gives up the host while the process is still there: the next attempt does not wait for it."""
        self.abandoned.append(process)

    def _work(self) -> None:
        while (job := self._take()) is not None:
            try:
                outcome = self._attempt(job)
                self._jobs.end_attempt(job, outcome, 0, self.definition.retry)
            finally:
                with self._jobs.lock:
                    self._running -= 1

    def _take(self) -> Job | None:
        with self._jobs.lock:
            while not self._jobs.where(lambda job: job.status == "RUNNABLE" and job.array_size is None):
                if not self._running:
                    return None
                self._jobs.runnable.wait(0.01)
            self._running += 1
            return self._jobs.take()

    def _attempt(self, job: Job) -> Outcome:
        self.attempts += 1
        environment = {"AWS_BATCH_JOB_ID": job.id, "AWS_BATCH_JOB_ATTEMPT": str(len(job.attempts)), **job.environment}
        if job.array_index is not None:
            environment["AWS_BATCH_JOB_ARRAY_INDEX"] = str(job.array_index)
        process = self._start(substitute(job.command, job.parameters), environment)
        self._jobs.move(job, "RUNNING")
        if not self._is_over(process):
            return Outcome(None, status_reason=HOST_LOST)
        reason, status_reason = self.last_words.get(process.id, ("", HOST_LOST if process.killed_by else EXITED))
        return Outcome(process.exit_code, reason=reason, status_reason=status_reason)

    def _is_over(self, process: Process) -> bool:
        """Waits for the end of the process. Returns False if its host is given up."""
        for _ in range(int(PATIENCE_SECONDS / 0.005)):
            if process.ended.wait(0.005):
                return True
            if process in self.abandoned:
                return False
        raise TimeoutError(f"the attempt of process {process.id} still runs after {PATIENCE_SECONDS:g} s")

    def _changed(self, detail: dict[str, Any]) -> None:
        if detail["status"] in ("FAILED", "SUCCEEDED"):
            self.ended.append({"detail-type": "Batch Job State Change", "detail": detail})
