"""The permissions of the scoring stack's roles, and the scenario that fails without each."""

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
    needs,
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
    *needs(SUBMIT, USE_KEY, KEY, NO_KMS),
    *needs(SUBMIT, "dynamodb:PutItem dynamodb:UpdateItem", TABLE, do.submit_takes_a_file),
    *needs(SUBMIT, "dynamodb:GetItem", TABLE, do.submit_takes_up_a_claim_that_was_cut_short),
    *needs(SUBMIT, "s3:ListBucket", BUCKET, NO_403),
    *needs(SUBMIT, "s3:GetObject", INPUT, do.submit_reads_job_options),
    *needs(SUBMIT, "s3:GetObject", ASSETS, do.submit_takes_a_file),
    *needs(SUBMIT, "s3:GetObjectVersion", INPUT, do.submit_takes_a_file),
    *needs(SUBMIT, "batch:SubmitJob", JOB_QUEUE, do.submit_takes_a_file),
    *needs(SUBMIT, "batch:SubmitJob", JOB_DEFINITION, do.submit_takes_a_file),
    *needs(SUBMIT, "batch:TagResource", JOB, do.submit_takes_a_file),
    *of_a_function(TRACK),
    *needs(TRACK, USE_KEY, KEY, NO_KMS),
    *needs(TRACK, "dynamodb:GetItem dynamodb:UpdateItem", TABLE, do.track_ends_a_job_whose_worker_could_not),
    *needs(TRACK, "s3:ListBucket", BUCKET, NO_403),
    *needs(TRACK, "s3:GetObject", PARTS, do.track_brings_what_belongs_beside_an_output),
    *needs(TRACK, "s3:GetObject s3:PutObject", OUTPUT, do.track_brings_what_belongs_beside_an_output),
    *of_a_function(RECONCILE),
    *needs(RECONCILE, USE_KEY, KEY, NO_KMS),
    *needs(RECONCILE, "batch:DescribeJobs", ANY, do.reconcile_brings_what_belongs_beside_an_output),
    *needs(
        RECONCILE,
        "dynamodb:BatchGetItem dynamodb:PutItem dynamodb:UpdateItem",
        TABLE,
        do.reconcile_takes_a_file_whose_event_was_lost,
    ),
    *needs(RECONCILE, "dynamodb:GetItem", TABLE, do.reconcile_brings_what_belongs_beside_an_output),
    *needs(RECONCILE, "dynamodb:Query", "/index/by_status", do.reconcile_takes_a_file_whose_event_was_lost),
    *needs(RECONCILE, "s3:ListBucket", BUCKET, NO_403),
    *needs(RECONCILE, "s3:ListBucketVersions", BUCKET, do.reconcile_takes_a_file_whose_event_was_lost),
    *needs(RECONCILE, "s3:GetObject s3:GetObjectVersion", INPUT, do.reconcile_takes_a_file_whose_event_was_lost),
    *needs(RECONCILE, "s3:GetObject", ASSETS, do.reconcile_takes_a_file_whose_event_was_lost),
    *needs(RECONCILE, "batch:SubmitJob", JOB_QUEUE, do.reconcile_submits_what_was_only_claimed),
    *needs(RECONCILE, "batch:SubmitJob", JOB_DEFINITION, do.reconcile_submits_what_was_only_claimed),
    *needs(RECONCILE, "batch:TagResource", JOB, do.reconcile_submits_what_was_only_claimed),
    *needs(RECONCILE, "s3:GetObject", PARTS, do.reconcile_brings_what_belongs_beside_an_output),
    *needs(RECONCILE, "s3:GetObject s3:PutObject", OUTPUT, do.reconcile_brings_what_belongs_beside_an_output),
    *of_a_function(ANNOUNCE),
    *needs(ANNOUNCE, "dynamodb:ListStreams", ANY, NO_POLLER_ROLE),
    *needs(ANNOUNCE, "dynamodb:DescribeStream", STREAM, NO_POLLER_ROLE),
    *needs(ANNOUNCE, "dynamodb:GetRecords dynamodb:GetShardIterator", STREAM, NO_STREAM_ARN),
    *needs(ANNOUNCE, "events:PutEvents", ":event-bus/default", do.announce_tells_of_an_end),
    *needs(WORKER, f"kms:Decrypt kms:GenerateDataKey {USE_KEY}", KEY, NO_KMS),
    *needs(WORKER, "dynamodb:GetItem dynamodb:UpdateItem", TABLE, do.worker_scores_a_file),
    *needs(WORKER, "s3:ListBucket", BUCKET, NO_403),
    *needs(WORKER, "s3:GetObject", ASSETS, do.worker_scores_a_file),
    *needs(WORKER, "s3:GetObjectVersion", INPUT, do.worker_scores_a_file),
    *needs(WORKER, "s3:GetObject s3:PutObject", PARTS, do.worker_scores_shards_and_publishes_them),
    *needs(WORKER, "s3:GetObject s3:PutObject", OUTPUT, do.worker_scores_a_file),
    *needs(WORKER, "s3:AbortMultipartUpload", PARTS, do.worker_leaves_no_upload_of_a_part_behind),
    *needs(WORKER, "s3:AbortMultipartUpload", OUTPUT, do.worker_leaves_no_upload_of_an_output_behind),
    *needs(WORKER, "sagemaker:InvokeEndpoint", r":endpoint/.*-fraud-[a-z0-9]+", do.worker_scores_a_file),
    *needs(WORKER, "sagemaker:InvokeEndpoint", r":endpoint/.*-night-0[0-9a-z]{4}", do.worker_wakes_a_model),
    *needs(WORKER, "sagemaker:InvokeEndpoint", r":inference-component/.*-night-0[0-9a-z]{4}", do.worker_wakes_a_model),
    *needs(WORKER, "sagemaker:InvokeEndpoint", r":endpoint/.*-light-1", do.worker_asks_a_serverless_model),
    *of_who_pulls(EXECUTION),
    *needs(EXECUTION, "logs:CreateLogStream logs:PutLogEvents", LOGS, NO_LOGS),
    *needs(FLOW_LOGS, "logs:CreateLogStream logs:DescribeLogStreams logs:PutLogEvents", LOGS, NO_TRAFFIC),
    *needs(FLEET, "ecs:DiscoverPollEndpoint", ANY, NO_INSTANCES),
    *needs(FLEET, REGISTER, r":cluster/AWSBatch-.*", NO_INSTANCES),
    *needs(FLEET, POLL, r":container-instance/AWSBatch-.*", NO_INSTANCES),
]

__all__ = ["NEEDS", "Need"]
