"""AWS Batch's REST API: the operations that the deployed stacks and their runtime use."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from local.shim.authority import Authority, Session
from local.shim.batch.attempt import STOP_SECONDS, ContainerHost, run
from local.shim.batch.job import Job, summary
from local.shim.batch.queue import Jobs
from local.shim.batch.retry import RetryStrategy
from local.shim.batch.submission import create_jobs
from local.shim.errors import AwsError, client_error
from local.shim.image import Image
from local.shim.process import Process
from local.shim.resources import JobDefinition, Queue, Resources

JOB_SERVICE = "ecs-tasks.amazonaws.com"


@dataclass
class Batch:
    """Accepts jobs, runs a few at a time with their roles, and reports their states."""

    resources: Resources
    images: Mapping[str, Image]
    authority: Authority
    host: ContainerHost
    jobs: Jobs
    _running: dict[str, Process] = field(default_factory=dict)
    _tokens: dict[str, str] = field(default_factory=dict)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def start(self, workers: int) -> None:
        self.jobs.restore(self._strategy)
        for job in self.jobs.where(lambda job: not job.is_final and not self._is_deployed(job)):
            self.jobs.stop_waiting(job, "its job definition is no longer deployed")
        for _ in range(workers):
            threading.Thread(target=self._work, daemon=True).start()

    def stop(self) -> None:
        """End running jobs as a reclaimed host would; the next process retries them."""
        self._stopping.set()
        processes = list(self._running.values())
        threads = [threading.Thread(target=process.stop, args=(10,)) for process in processes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def answer(self, operation: str, request: dict[str, Any], caller_arn: str) -> dict[str, Any]:
        operations: dict[str, Callable[[dict[str, Any], str], dict[str, Any]]] = {
            "submitjob": self._submit,
            "describejobs": self._describe,
            "listjobs": self._list,
            "terminatejob": self._terminate,
            "canceljob": self._cancel,
        }
        if operation not in operations:
            raise client_error(f"the embedded cloud's Batch has no operation {operation}")
        return operations[operation](request, caller_arn)

    def session(self, job_id: str, token: str) -> Session:
        """Credentials of a running job's role. Raises AwsError unless `token` is the job's."""
        job = self.jobs.get(job_id)
        expected = self._tokens.get(job_id, "")
        if job is None or not expected or not secrets.compare_digest(expected.encode(), token.encode()):
            raise AwsError(403, "AccessDeniedException", "the token is not that of a running job")
        role = self._definition(job.definition).job_role_arn
        if role is None:
            raise AwsError(404, "ResourceNotFoundException", "the job definition has no job role")
        return self.authority.assume(role, JOB_SERVICE, job_id.replace(":", "-"))

    def _submit(self, request: dict[str, Any], caller: str) -> dict[str, Any]:
        definition = self._definition(request["jobDefinition"])
        queue = self._queue(request["jobQueue"])
        self.authority.require(caller, "batch:SubmitJob", definition.arn)
        self.authority.require(caller, "batch:SubmitJob", queue.arn)
        job, *children = create_jobs(request, definition, queue)
        for needed in job.depends_on:
            self._get(needed)
        if "tags" in request:
            self.authority.require(caller, "batch:TagResource", job.arn)
        self.jobs.add([job, *children])
        return {"jobArn": job.arn, "jobId": job.id, "jobName": job.name}

    def _describe(self, request: dict[str, Any], caller: str) -> dict[str, Any]:
        self.authority.require(caller, "batch:DescribeJobs", "*")
        found = [self.jobs.get(job_id) for job_id in request["jobs"]]
        return {"jobs": [self.jobs.described(job) for job in found if job is not None]}

    def _list(self, request: dict[str, Any], caller: str) -> dict[str, Any]:
        self.authority.require(caller, "batch:ListJobs", "*")
        parent, status = request.get("arrayJobId"), request.get("jobStatus")
        queue = None if parent else self._queue(request["jobQueue"]).arn
        names = [item["values"] for item in request.get("filters", []) if item["name"] == "JOB_NAME"]

        def matches(job: Job) -> bool:
            return (
                job.parent == parent
                and (queue is None or job.queue == queue)
                and (bool(names) or job.status == (status or "RUNNING"))
                and all(job.name in values for values in names)
            )

        return {"jobSummaryList": [summary(self.jobs.described(job)) for job in self.jobs.where(matches)]}

    def _terminate(self, request: dict[str, Any], caller: str) -> dict[str, Any]:
        job = self._get(request["jobId"])
        self.authority.require(caller, "batch:TerminateJob", job.arn)
        for member in self._with_children(job):
            if not self.jobs.stop_waiting(member, request["reason"]) and not member.is_final:
                member.stop_reason = request["reason"]
                if process := self._running.get(member.id):
                    threading.Thread(target=process.stop, args=(STOP_SECONDS,), daemon=True).start()
        return {}

    def _cancel(self, request: dict[str, Any], caller: str) -> dict[str, Any]:
        job = self._get(request["jobId"])
        self.authority.require(caller, "batch:CancelJob", job.arn)
        for member in self._with_children(job):
            self.jobs.stop_waiting(member, request["reason"])
        return {}

    def _with_children(self, job: Job) -> list[Job]:
        return (
            [job, *self.jobs.where(lambda other: other.parent == job.id)]
            if job.array_size is None
            else (self.jobs.where(lambda other: other.parent == job.id))
        )

    def _work(self) -> None:
        while True:
            job = self.jobs.take()
            definition = self._definition(job.definition)
            self._tokens[job.id] = secrets.token_urlsafe(32)
            image = self.images[definition.image.rsplit(":", 1)[1]]
            started = partial(self._started, job)
            outcome, peak = run(job, definition, image, self.host, self._tokens[job.id], started)
            self._running.pop(job.id, None)
            self._tokens.pop(job.id, None)
            # The job remains RUNNING in the file, so the next process treats its host as lost and retries it.
            if self._stopping.is_set():
                return
            self.jobs.end_attempt(job, outcome, peak, self._strategy(job))

    def _started(self, job: Job, process: Process) -> None:
        self._running[job.id] = process
        self.jobs.move(job, "RUNNING")
        if job.stop_reason:  # TerminateJob came while the job was STARTING, without a process to stop
            threading.Thread(target=process.stop, args=(STOP_SECONDS,), daemon=True).start()

    def _strategy(self, job: Job) -> RetryStrategy:
        """The definition's rules with the job's own number of attempts."""
        rules = self._definition(job.definition).retry.rules if self._is_deployed(job) else ()
        return RetryStrategy(job.max_attempts, rules)

    def _is_deployed(self, job: Job) -> bool:
        return _definition_name(job.definition) in self.resources.definitions

    def _get(self, job_id: str) -> Job:
        job = self.jobs.get(job_id)
        if job is None:
            raise client_error(f"Job {job_id} not found")
        return job

    def _queue(self, name_or_arn: str) -> Queue:
        queue = self.resources.queues.get(name_or_arn.rsplit("/", 1)[-1])
        if queue is None:
            raise client_error(f"JobQueue {name_or_arn} not found")
        return queue

    def _definition(self, name_or_arn: str) -> JobDefinition:
        definition = self.resources.definitions.get(_definition_name(name_or_arn))
        if definition is None:
            raise client_error(f"JobDefinition {name_or_arn} not found")
        return definition


def _definition_name(name_or_arn: str) -> str:
    return name_or_arn.rsplit("/", 1)[-1].split(":")[0]
