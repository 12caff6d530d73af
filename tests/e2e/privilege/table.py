"""What a line of the table says of a permission, and why some can be missed by nobody in the embedded cloud."""

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

NO_KMS = "the emulator encrypts nothing and asks for no grant of a key"
NO_LOGS = "the emulator keeps what is printed in a log of its own, whatever a role may"
NO_PULL = "images are neither built nor pulled: a container's command runs as a process"
NO_QUEUE_ROLE = "the emulator itself puts failed events into the queue, under no role"
NO_POLLER_ROLE = "the emulator itself reads the stream for the function, under no role"
NO_STREAM_ARN = "the emulator asks for a stream's permissions on every resource, and denies them on the one stream"
NO_LOG_ARN = "the emulator knows a log group without the `:*` at the end of its ARN, which AWS wants, and denies it"
NO_WATCH_ARN = "the emulator asks for it on every resource, and denies it on the alarms or the dashboard that are named"
NO_BUILD_ARN = "the emulator asks to see builds on every resource, and denies it on the one project"
NO_403 = "the emulator answers 404 for what is not there, where S3 answers 403 to who may not list"
NO_ARTIFACT = "the shim unpacks the artifact itself"
NO_METRICS = "nothing is measured"
NO_ROLLBACK = "a new model takes over, and no alarm is asked"
NO_CAPTURE = "requests are not captured"
NO_TRACES = "nothing is traced"
NO_TRAFFIC = "no network traffic is recorded"
NO_INSTANCES = "there are no instances: workers are processes"
NO_TWIN = "the worker's image and project are asked for as the model's are, by the same code"


@dataclass(frozen=True)
class Need:
    holder: str
    """`<stack>.<logical id>` of a role or a managed policy."""
    action: str
    resource: str
    """A pattern of the ARN's end."""
    seen_by: Scenario | str
    """The scenario that fails without it, or the reason why none does here."""

    def is_for(self, permission: Permission) -> bool:
        return (self.holder, self.action) == (permission.holder.title, permission.action) and re.search(
            f"{self.resource}$", permission.resource
        ) is not None

    def __str__(self) -> str:
        return f"{self.holder}-{self.action}-{re.sub(r'[^A-Za-z]+', '', self.resource)}"


def each(holder: str, actions: str, resource: str, seen_by: Scenario | str) -> list[Need]:
    """A need for every one of these actions."""
    return [Need(holder, action, resource, seen_by) for action in actions.split()]


def of_a_function(role: str) -> list[Need]:
    """What every function's role has."""
    return [
        *each(role, "logs:CreateLogStream logs:PutLogEvents", LOGS, NO_LOGS),
        *each(role, "sqs:SendMessage", QUEUE, NO_QUEUE_ROLE),
        *each(role, "kms:Decrypt kms:GenerateDataKey", KEY, NO_KMS),
        *each(role, "xray:PutTelemetryRecords xray:PutTraceSegments", ANY, NO_TRACES),
    ]


def of_who_pulls(role: str) -> list[Need]:
    actions = "ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:GetDownloadUrlForLayer"
    return [*each(role, actions, REPOSITORY, NO_PULL), *each(role, "ecr:GetAuthorizationToken", ANY, NO_PULL)]
