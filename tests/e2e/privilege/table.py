"""Every permission of every role: which scenario fails without it, or why none can in the embedded cloud."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.e2e.privilege import scenarios as do
from tests.e2e.privilege.roles import Permission
from tests.e2e.privilege.scenarios import Scenario

TABLE = r":table/[^/]*Jobs[^/]*"
BUCKET = r":s3:::[^/]*bucket[^/]*"
KEY = r":kms:.*"
QUEUE = r":sqs:.*DeadLetters.*"
LOGS = r":logs:.*"
JOB_QUEUE = r":job-queue/.*"
JOB_DEFINITION = r":job-definition/.*"
ENDPOINT = r":endpoint/.*"
REPOSITORY = r":repository/.*"

NO_KMS = "the emulator encrypts nothing and asks for no grant of a key"
NO_LOGS = "the emulator keeps what functions print in its own log, whatever their roles may"
NO_PULL = "images are not pulled: a container's command runs as a process"
NO_QUEUE_ROLE = "the emulator itself puts failed events into the queue, under no role"
NO_403 = "the emulator answers 404 for what is not there, and S3 403 to who may not list"
NO_ARTEFACT = "the shim unpacks the artefact itself"
NO_TRACES = "nothing is traced"
NO_POLLER_ROLE = "the emulator itself reads the stream for the function, under no role"
NO_STREAM_ARN = "the emulator asks for a stream's permissions on every resource, and denies them on the one stream"
NO_TRAFFIC = "no network traffic is recorded"


@dataclass(frozen=True)
class Need:
    role: str
    action: str
    resource: str
    """A pattern of the ARN's end."""
    seen_by: Scenario | str
    """The scenario that fails without it, or the reason why none does here."""

    def is_for(self, permission: Permission) -> bool:
        return (self.role, self.action) == (permission.role, permission.action) and re.search(
            f"{self.resource}$", permission.resource
        ) is not None

    def __str__(self) -> str:
        return f"{self.role}-{self.action}-{re.sub(r'[^a-z]+', '', self.resource)}"


def _each(role: str, actions: str, resource: str, seen_by: Scenario | str) -> list[Need]:
    return [Need(role, action, resource, seen_by) for action in actions.split()]


def _function(role: str) -> list[Need]:
    """What every function's role has."""
    return [
        *_each(role, "logs:CreateLogStream logs:PutLogEvents", LOGS, NO_LOGS),
        *_each(role, "sqs:SendMessage", QUEUE, NO_QUEUE_ROLE),
        *_each(role, "kms:Decrypt kms:GenerateDataKey", KEY, NO_KMS),
        *_each(role, "xray:PutTelemetryRecords xray:PutTraceSegments", "[*]", NO_TRACES),
    ]


def _uses_key(role: str) -> list[Need]:
    return _each(role, "kms:DescribeKey kms:Encrypt", KEY, NO_KMS)


SUBMIT, TRACK, RECONCILE, WORKER = "IntakeSubmitRole", "TrackingTrackRole", "ReconciliationReconcileRole", "WorkerRole"
EXECUTION, MODEL, ANNOUNCE = "WorkerContainerExecutionRole", "FraudRole", "AnnouncingAnnounceRole"
PULL = "ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:GetDownloadUrlForLayer"

NEEDS: list[Need] = [
    *_function(SUBMIT),
    *_uses_key(SUBMIT),
    Need(SUBMIT, "dynamodb:PutItem", TABLE, do.submit_takes_a_file),
    Need(SUBMIT, "dynamodb:UpdateItem", TABLE, do.submit_takes_a_file),
    Need(SUBMIT, "dynamodb:GetItem", TABLE, do.submit_takes_up_a_claim_that_was_cut_short),
    Need(SUBMIT, "s3:ListBucket", BUCKET, NO_403),
    Need(SUBMIT, "s3:GetObject", "/input/[*]", do.submit_reads_a_sidecar),
    Need(SUBMIT, "s3:GetObjectVersion", "/input/[*]", do.submit_takes_a_file),
    Need(SUBMIT, "batch:SubmitJob", JOB_QUEUE, do.submit_takes_a_file),
    Need(SUBMIT, "batch:TagResource", ":job/[*]", do.submit_takes_a_file),
    Need(SUBMIT, "batch:SubmitJob", JOB_DEFINITION, do.submit_takes_a_file),
    *_function(TRACK),
    *_uses_key(TRACK),
    Need(TRACK, "dynamodb:GetItem", TABLE, do.track_ends_a_job_whose_worker_could_not),
    Need(TRACK, "dynamodb:UpdateItem", TABLE, do.track_ends_a_job_whose_worker_could_not),
    Need(TRACK, "s3:ListBucket", BUCKET, NO_403),
    Need(TRACK, "s3:GetObject", "/parts/[*]", do.track_brings_what_belongs_beside_an_output),
    Need(TRACK, "s3:GetObject", "/output/[*]", do.track_brings_what_belongs_beside_an_output),
    Need(TRACK, "s3:PutObject", "/output/[*]", do.track_brings_what_belongs_beside_an_output),
    *_function(RECONCILE),
    *_uses_key(RECONCILE),
    Need(RECONCILE, "batch:DescribeJobs", "[*]", do.reconcile_brings_what_belongs_beside_an_output),
    Need(RECONCILE, "dynamodb:BatchGetItem", TABLE, do.reconcile_takes_a_file_whose_event_was_lost),
    Need(RECONCILE, "dynamodb:Query", "/index/by_status", do.reconcile_takes_a_file_whose_event_was_lost),
    Need(RECONCILE, "dynamodb:PutItem", TABLE, do.reconcile_takes_a_file_whose_event_was_lost),
    Need(RECONCILE, "dynamodb:UpdateItem", TABLE, do.reconcile_takes_a_file_whose_event_was_lost),
    Need(RECONCILE, "dynamodb:GetItem", TABLE, do.reconcile_brings_what_belongs_beside_an_output),
    Need(RECONCILE, "s3:ListBucket", BUCKET, NO_403),
    Need(RECONCILE, "s3:ListBucketVersions", BUCKET, do.reconcile_takes_a_file_whose_event_was_lost),
    Need(RECONCILE, "s3:GetObject", "/input/[*]", do.reconcile_takes_a_file_whose_event_was_lost),
    Need(RECONCILE, "s3:GetObjectVersion", "/input/[*]", do.reconcile_takes_a_file_whose_event_was_lost),
    Need(RECONCILE, "batch:TagResource", ":job/[*]", do.reconcile_submits_what_was_only_claimed),
    Need(RECONCILE, "batch:SubmitJob", JOB_QUEUE, do.reconcile_submits_what_was_only_claimed),
    Need(RECONCILE, "batch:SubmitJob", JOB_DEFINITION, do.reconcile_submits_what_was_only_claimed),
    Need(RECONCILE, "s3:GetObject", "/parts/[*]", do.reconcile_brings_what_belongs_beside_an_output),
    Need(RECONCILE, "s3:GetObject", "/output/[*]", do.reconcile_brings_what_belongs_beside_an_output),
    Need(RECONCILE, "s3:PutObject", "/output/[*]", do.reconcile_brings_what_belongs_beside_an_output),
    *_each(WORKER, "kms:Decrypt kms:DescribeKey kms:Encrypt kms:GenerateDataKey", KEY, NO_KMS),
    Need(WORKER, "dynamodb:GetItem", TABLE, do.worker_scores_a_file),
    Need(WORKER, "dynamodb:UpdateItem", TABLE, do.worker_scores_a_file),
    Need(WORKER, "s3:ListBucket", BUCKET, NO_403),
    Need(WORKER, "s3:GetObjectVersion", "/input/[*]", do.worker_scores_a_file),
    *_each(WORKER, "s3:GetObject s3:PutObject", "/parts/[*]", do.worker_scores_shards_and_publishes_them),
    *_each(WORKER, "s3:GetObject s3:PutObject", "/output/[*]", do.worker_scores_a_file),
    Need(WORKER, "s3:AbortMultipartUpload", "/parts/[*]", do.worker_leaves_no_upload_of_a_part_behind),
    Need(WORKER, "s3:AbortMultipartUpload", "/output/[*]", do.worker_leaves_no_upload_of_an_output_behind),
    Need(WORKER, "sagemaker:InvokeEndpoint", ENDPOINT, do.worker_scores_a_file),
    *_function(ANNOUNCE),
    *_each(ANNOUNCE, "dynamodb:ListStreams", "[*]", NO_POLLER_ROLE),
    *_each(ANNOUNCE, "dynamodb:DescribeStream", "/stream/.*", NO_POLLER_ROLE),
    *_each(ANNOUNCE, "dynamodb:GetRecords dynamodb:GetShardIterator", "/stream/.*", NO_STREAM_ARN),
    Need(ANNOUNCE, "events:PutEvents", ":event-bus/default", do.announce_tells_of_an_end),
    *_each(EXECUTION, f"{PULL}", REPOSITORY, NO_PULL),
    *_each(EXECUTION, "ecr:GetAuthorizationToken", "[*]", NO_PULL),
    *_each(EXECUTION, "logs:CreateLogStream logs:PutLogEvents", LOGS, NO_LOGS),
    *_each(MODEL, f"{PULL}", REPOSITORY, NO_PULL),
    *_each(MODEL, "ecr:GetAuthorizationToken", "[*]", NO_PULL),
    *_each(MODEL, "logs:CreateLogGroup logs:CreateLogStream logs:PutLogEvents", LOGS, NO_LOGS),
    *_each(MODEL, "cloudwatch:PutMetricData", "[*]", NO_LOGS),
    *_each(MODEL, "s3:GetObject", r":s3:::cdk-.*", NO_ARTEFACT),
    *_each(
        "NetworkFlowLogRole",
        "logs:CreateLogStream logs:DescribeLogStreams logs:PutLogEvents",
        LOGS,
        "no network traffic is recorded",
    ),
]
