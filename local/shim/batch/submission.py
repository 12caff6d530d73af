"""Creates the job of a SubmitJob request, and the children of an array job."""

from __future__ import annotations

import uuid
from typing import Any

from local.deployment.account import arn
from local.shim.batch.job import Job
from local.shim.errors import client_error
from local.shim.resources import JobDefinition, Queue

ARRAY_SIZES = range(2, 10_000 + 1)
PRIORITIES = range(9999 + 1)
UNSUPPORTED = frozenset({"eksPropertiesOverride", "nodeOverrides", "ecsPropertiesOverride"})


def create_jobs(request: dict[str, Any], definition: JobDefinition, queue: Queue) -> list[Job]:
    """The job, followed by its children if it is an array. Raises AwsError for an unsupported request."""
    _check(request)
    _check_share(request, queue)
    overrides = request.get("containerOverrides", {})
    retry, timeout = request.get("retryStrategy", {}), request.get("timeout", {})
    job_id = str(uuid.uuid4())
    priority = request.get("schedulingPriorityOverride", definition.scheduling_priority)
    job = Job(
        id=job_id,
        arn=arn("batch", f"job/{job_id}"),
        name=request["jobName"],
        queue=queue.arn,
        definition=definition.arn,
        parameters={**definition.parameters, **request.get("parameters", {})},
        command=list(overrides.get("command") or definition.command),
        environment={pair["name"]: pair["value"] for pair in overrides.get("environment", [])},
        max_attempts=retry.get("attempts", definition.retry.attempts),
        timeout_seconds=timeout.get("attemptDurationSeconds", definition.timeout_seconds),
        depends_on=[needed["jobId"] for needed in request.get("dependsOn", [])],
        array_size=request.get("arrayProperties", {}).get("size"),
        share=request.get("shareIdentifier"),
        priority=priority if queue.has_shares else 0,
    )
    return [job, *(_child(job, index) for index in range(job.array_size or 0))]


def _check(request: dict[str, Any]) -> None:
    has_types = any("type" in needed for needed in request.get("dependsOn", []))
    if has_types or "evaluateOnExit" in request.get("retryStrategy", {}) or UNSUPPORTED & request.keys():
        raise client_error(
            "the embedded cloud's SubmitJob does not support retry rules, dependency types, or overrides other than "
            "containerOverrides"
        )
    size = request.get("arrayProperties", {}).get("size", ARRAY_SIZES[0])
    if size not in ARRAY_SIZES:
        raise client_error(f"Array size {size} is not between {ARRAY_SIZES[0]} and {ARRAY_SIZES[-1]:,}.")


def _check_share(request: dict[str, Any], queue: Queue) -> None:
    if queue.has_shares and "shareIdentifier" not in request:
        raise client_error("Share identifier must be specified for a queue with a scheduling policy.")
    if not queue.has_shares and "shareIdentifier" in request:
        raise client_error("Share identifier cannot be specified for a queue without a scheduling policy.")
    if request.get("schedulingPriorityOverride", 0) not in PRIORITIES:
        raise client_error(f"Scheduling priority is not between {PRIORITIES[0]} and {PRIORITIES[-1]}.")


def _child(parent: Job, index: int) -> Job:
    identity = {"id": f"{parent.id}:{index}", "arn": f"{parent.arn}:{index}", "parent": parent.id}
    array = {"array_size": None, "parent_size": parent.array_size, "array_index": index}
    return Job.from_dict({**parent.to_dict(), **identity, **array})
