"""Share identifiers and priorities of submitted jobs."""

from __future__ import annotations

from typing import Any

import pytest

from local.shim.batch.retry import RetryStrategy
from local.shim.batch.submission import create_jobs
from local.shim.errors import AwsError
from local.shim.resources import JobDefinition, Queue

SHARED, PLAIN = Queue(arn="arn:q", has_shares=True), Queue(arn="arn:q", has_shares=False)


def definition(scheduling_priority: int = 0) -> JobDefinition:
    return JobDefinition(
        arn="arn:d:1",
        name="d",
        image="i",
        command=(),
        environment={},
        job_role_arn=None,
        parameters={},
        retry=RetryStrategy(),
        timeout_seconds=None,
        scheduling_priority=scheduling_priority,
    )


def test_children_inherit_share_and_priority() -> None:
    request = {"jobName": "j", "shareIdentifier": "s", "schedulingPriorityOverride": 7, "arrayProperties": {"size": 2}}
    jobs = create_jobs(request, definition(3), SHARED)
    assert [(job.share, job.priority) for job in jobs] == [("s", 7)] * 3
    described = jobs[0].described({})
    assert (described["shareIdentifier"], described["schedulingPriority"]) == ("s", 7)


def test_the_definitions_priority_is_the_default() -> None:
    (job,) = create_jobs({"jobName": "j", "shareIdentifier": "s"}, definition(3), SHARED)
    assert job.priority == 3


def test_a_queue_without_a_policy_ignores_priorities() -> None:
    (job,) = create_jobs({"jobName": "j", "schedulingPriorityOverride": 7}, definition(3), PLAIN)
    assert (job.priority, "schedulingPriority" in job.described({})) == (0, False)


@pytest.mark.parametrize(
    ("queue", "fields", "message"),
    [
        (SHARED, {}, "must be specified"),
        (PLAIN, {"shareIdentifier": "s"}, "cannot be specified"),
        (SHARED, {"shareIdentifier": "s", "schedulingPriorityOverride": 10_000}, "not between 0 and 9999"),
        (SHARED, {"shareIdentifier": "s", "schedulingPriorityOverride": -1}, "not between 0 and 9999"),
    ],
)
def test_invalid_submissions_are_refused(queue: Queue, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(AwsError, match=message):
        create_jobs({"jobName": "j", **fields}, definition(), queue)
