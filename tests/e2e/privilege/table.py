"""The entries of the permission table, and reasons why no scenario needs some permissions in the embedded cloud."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.e2e.privilege.roles import Permission
from tests.e2e.privilege.stage import Scenario

ANY = "[*]"
TABLE = r":table/[^/]*Jobs[^/]*"
BUCKET = r":s3:::dropscore-[^/]*"
INPUT, PARTS, OUTPUT = "/input/[*]", "/parts/[*]", "/output/[*]"
ASSETS = r":s3:::cdk-.*"
KEY = r":kms:.*"
QUEUE = r":sqs:.*DeadLetters.*"
LOGS = r":logs:.*"
JOB = ":job/[*]"
JOB_QUEUE = r":job-queue/.*"
JOB_DEFINITION = r":job-definition/.*"
REPOSITORY = r":repository/.*"
STREAM = "/stream/.*"

NO_KMS = "the emulator encrypts nothing and checks no key permissions"
NO_LOGS = "the emulator keeps output in its own log, whatever a role allows"
NO_PULL = "images are neither built nor pulled: a container's command runs as a process"
NO_QUEUE_ROLE = "the emulator itself sends failed events to the queue, without a role"
NO_POLLER_ROLE = "the emulator itself reads the stream for the function, without a role"
NO_STREAM_ARN = "the emulator requires a stream's permissions on every resource and denies them for one stream"
NO_LOG_ARN = "the emulator omits the `:*` that ends a log group's ARN in AWS, and denies it"
NO_WATCH_ARN = "the emulator requires it on every resource and denies it for named alarms or dashboards"
NO_BUILD_ARN = "the emulator requires it on every resource and denies it for one project"
NO_403 = "the emulator answers 404 for a missing object; S3 answers 403 without the permission to list"
NO_ARTIFACT = "the shim unpacks the artifact itself"
NO_METRICS = "metrics are not recorded"
NO_ROLLBACK = "a new model takes over without a check of the alarms"
NO_CAPTURE = "requests are not captured"
NO_TRACES = "traces are not recorded"
NO_TRAFFIC = "no network traffic is recorded"
NO_INSTANCES = "there are no instances: workers are processes"
NO_TWIN = "the same code handles the images and projects of worker and model"


@dataclass(frozen=True)
class Need:
    holder: str
    """`<stack>.<logical id>` of a role or a managed policy."""
    action: str
    resource: str
    """A pattern for the end of the ARN."""
    seen_by: Scenario | str
    """The scenario that fails without the permission, or the reason why none does here."""

    def is_for(self, permission: Permission) -> bool:
        return (self.holder, self.action) == (permission.holder.title, permission.action) and re.search(
            f"{self.resource}$", permission.resource
        ) is not None

    def __str__(self) -> str:
        return f"{self.holder}-{self.action}-{re.sub(r'[^A-Za-z]+', '', self.resource)}"


def needs(holder: str, actions: str, resource: str, seen_by: Scenario | str) -> list[Need]:
    """One need for each of these actions."""
    return [Need(holder, action, resource, seen_by) for action in actions.split()]


def of_a_function(role: str) -> list[Need]:
    """The permissions of every function's role."""
    return [
        *needs(role, "logs:CreateLogStream logs:PutLogEvents", LOGS, NO_LOGS),
        *needs(role, "sqs:SendMessage", QUEUE, NO_QUEUE_ROLE),
        *needs(role, "kms:Decrypt kms:GenerateDataKey", KEY, NO_KMS),
        *needs(role, "xray:PutTelemetryRecords xray:PutTraceSegments", ANY, NO_TRACES),
    ]


def of_who_pulls(role: str) -> list[Need]:
    actions = "ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:GetDownloadUrlForLayer"
    return [*needs(role, actions, REPOSITORY, NO_PULL), *needs(role, "ecr:GetAuthorizationToken", ANY, NO_PULL)]
