"""The roles of the scoring stack: what they are given, and who would miss it."""

from __future__ import annotations

from tests.e2e.privilege import scenarios as do
from tests.e2e.privilege.table import (
    ANY,
    ASSETS,
    BUCKET,
    INPUT,
    JOB,
    JOB_DEFINITION,
    JOB_QUEUE,
    KEY,
    LOGS,
    NO_403,
    NO_INSTANCES,
    NO_KMS,
    NO_LOGS,
    NO_POLLER_ROLE,
    NO_STREAM_ARN,
    NO_TRAFFIC,
    OUTPUT,
    PARTS,
    STREAM,
    TABLE,
    Need,
    each,
    of_a_function,
    of_who_pulls,
)

SUBMIT, TRACK = "scoring.IntakeSubmitRole", "scoring.TrackingTrackRole"
RECONCILE, ANNOUNCE = "scoring.ReconciliationReconcileRole", "scoring.AnnouncingAnnounceRole"
WORKER, EXECUTION = "scoring.WorkerRole", "scoring.WorkerExecutionRole"
FLEET, FLOW_LOGS = "scoring.WorkerComputeFleetRole", "scoring.NetworkFlowLogRole"
USE_KEY = "kms:DescribeKey kms:Encrypt"
REGISTER = (
    "ecs:DeregisterContainerInstance ecs:RegisterContainerInstance ecs:SubmitAttachmentStateChanges "
    "ecs:SubmitContainerStateChange ecs:SubmitTaskStateChange"
)
POLL = "ecs:Poll ecs:StartTelemetrySession ecs:TagResource ecs:UpdateContainerInstancesState"

NEEDS = [
    *of_a_function(SUBMIT),
    *each(SUBMIT, USE_KEY, KEY, NO_KMS),
    *each(SUBMIT, "dynamodb:PutItem dynamodb:UpdateItem", TABLE, do.submit_takes_a_file),
    *each(SUBMIT, "dynamodb:GetItem", TABLE, do.submit_takes_up_a_claim_that_was_cut_short),
    *each(SUBMIT, "s3:ListBucket", BUCKET, NO_403),
    *each(SUBMIT, "s3:GetObject", INPUT, do.submit_reads_a_sidecar),
    *each(SUBMIT, "s3:GetObject", ASSETS, do.submit_takes_a_file),
    *each(SUBMIT, "s3:GetObjectVersion", INPUT, do.submit_takes_a_file),
    *each(SUBMIT, "batch:SubmitJob", JOB_QUEUE, do.submit_takes_a_file),
    *each(SUBMIT, "batch:SubmitJob", JOB_DEFINITION, do.submit_takes_a_file),
    *each(SUBMIT, "batch:TagResource", JOB, do.submit_takes_a_file),
    *of_a_function(TRACK),
    *each(TRACK, USE_KEY, KEY, NO_KMS),
    *each(TRACK, "dynamodb:GetItem dynamodb:UpdateItem", TABLE, do.track_ends_a_job_whose_worker_could_not),
    *each(TRACK, "s3:ListBucket", BUCKET, NO_403),
    *each(TRACK, "s3:GetObject", PARTS, do.track_brings_what_belongs_beside_an_output),
    *each(TRACK, "s3:GetObject s3:PutObject", OUTPUT, do.track_brings_what_belongs_beside_an_output),
    *of_a_function(RECONCILE),
    *each(RECONCILE, USE_KEY, KEY, NO_KMS),
    *each(RECONCILE, "batch:DescribeJobs", ANY, do.reconcile_brings_what_belongs_beside_an_output),
    *each(
        RECONCILE,
        "dynamodb:BatchGetItem dynamodb:PutItem dynamodb:UpdateItem",
        TABLE,
        do.reconcile_takes_a_file_whose_event_was_lost,
    ),
    *each(RECONCILE, "dynamodb:GetItem", TABLE, do.reconcile_brings_what_belongs_beside_an_output),
    *each(RECONCILE, "dynamodb:Query", "/index/by_status", do.reconcile_takes_a_file_whose_event_was_lost),
    *each(RECONCILE, "s3:ListBucket", BUCKET, NO_403),
    *each(RECONCILE, "s3:ListBucketVersions", BUCKET, do.reconcile_takes_a_file_whose_event_was_lost),
    *each(RECONCILE, "s3:GetObject s3:GetObjectVersion", INPUT, do.reconcile_takes_a_file_whose_event_was_lost),
    *each(RECONCILE, "s3:GetObject", ASSETS, do.reconcile_takes_a_file_whose_event_was_lost),
    *each(RECONCILE, "batch:SubmitJob", JOB_QUEUE, do.reconcile_submits_what_was_only_claimed),
    *each(RECONCILE, "batch:SubmitJob", JOB_DEFINITION, do.reconcile_submits_what_was_only_claimed),
    *each(RECONCILE, "batch:TagResource", JOB, do.reconcile_submits_what_was_only_claimed),
    *each(RECONCILE, "s3:GetObject", PARTS, do.reconcile_brings_what_belongs_beside_an_output),
    *each(RECONCILE, "s3:GetObject s3:PutObject", OUTPUT, do.reconcile_brings_what_belongs_beside_an_output),
    *of_a_function(ANNOUNCE),
    *each(ANNOUNCE, "dynamodb:ListStreams", ANY, NO_POLLER_ROLE),
    *each(ANNOUNCE, "dynamodb:DescribeStream", STREAM, NO_POLLER_ROLE),
    *each(ANNOUNCE, "dynamodb:GetRecords dynamodb:GetShardIterator", STREAM, NO_STREAM_ARN),
    *each(ANNOUNCE, "events:PutEvents", ":event-bus/default", do.announce_tells_of_an_end),
    *each(WORKER, f"kms:Decrypt kms:GenerateDataKey {USE_KEY}", KEY, NO_KMS),
    *each(WORKER, "dynamodb:GetItem dynamodb:UpdateItem", TABLE, do.worker_scores_a_file),
    *each(WORKER, "s3:ListBucket", BUCKET, NO_403),
    *each(WORKER, "s3:GetObject", ASSETS, do.worker_scores_a_file),
    *each(WORKER, "s3:GetObjectVersion", INPUT, do.worker_scores_a_file),
    *each(WORKER, "s3:GetObject s3:PutObject", PARTS, do.worker_scores_shards_and_publishes_them),
    *each(WORKER, "s3:GetObject s3:PutObject", OUTPUT, do.worker_scores_a_file),
    *each(WORKER, "s3:AbortMultipartUpload", PARTS, do.worker_leaves_no_upload_of_a_part_behind),
    *each(WORKER, "s3:AbortMultipartUpload", OUTPUT, do.worker_leaves_no_upload_of_an_output_behind),
    *each(WORKER, "sagemaker:InvokeEndpoint", r":endpoint/.*-fraud-[a-z0-9]+", do.worker_scores_a_file),
    *each(WORKER, "sagemaker:InvokeEndpoint", r":endpoint/.*-night-0[0-9a-z]{4}", do.worker_wakes_a_model),
    *each(WORKER, "sagemaker:InvokeEndpoint", r":inference-component/.*-night-0[0-9a-z]{4}", do.worker_wakes_a_model),
    *each(WORKER, "sagemaker:InvokeEndpoint", r":endpoint/.*-light-1", do.worker_asks_a_serverless_model),
    *of_who_pulls(EXECUTION),
    *each(EXECUTION, "logs:CreateLogStream logs:PutLogEvents", LOGS, NO_LOGS),
    *each(FLOW_LOGS, "logs:CreateLogStream logs:DescribeLogStreams logs:PutLogEvents", LOGS, NO_TRAFFIC),
    *each(FLEET, "ecs:DiscoverPollEndpoint", ANY, NO_INSTANCES),
    *each(FLEET, REGISTER, r":cluster/AWSBatch-.*", NO_INSTANCES),
    *each(FLEET, POLL, r":container-instance/AWSBatch-.*", NO_INSTANCES),
]

__all__ = ["NEEDS", "Need"]
