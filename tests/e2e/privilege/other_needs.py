"""The permissions of models, builds and users, and the scenario that fails without each."""

from __future__ import annotations

from tests.e2e.privilege import people_scenarios as people
from tests.e2e.privilege.scenarios import builder_looks_for_an_image_and_has_it_built
from tests.e2e.privilege.table import (
    ANY,
    ASSETS,
    BUCKET,
    INPUT,
    JOB,
    KEY,
    LOGS,
    NO_ARTIFACT,
    NO_BUILD_ARN,
    NO_CAPTURE,
    NO_KMS,
    NO_LOG_ARN,
    NO_LOGS,
    NO_METRICS,
    NO_PULL,
    NO_ROLLBACK,
    NO_TWIN,
    NO_WATCH_ARN,
    OUTPUT,
    QUEUE,
    REPOSITORY,
    TABLE,
    needs,
    of_a_function,
    of_who_pulls,
)

MODEL, ASLEEP, SERVERLESS = "hosting.FraudRole", "hosting.NightRole", "hosting.LightRole"
OF_NIGHT, NIGHT = "storage.AccessUploadersOfnight", r"/input/night/[*]"
BUILD, BUILDS = "images.BuildRole", ("images.ModelImageRole", "images.WorkerRole")
UPLOADERS, READERS, OPERATORS = "storage.AccessUploaders", "storage.AccessReaders", "storage.AccessOperators"
READ_LOGS = "logs:DescribeLogStreams logs:FilterLogEvents logs:GetLogEvents logs:GetQueryResults logs:StartQuery"
PUSH = (
    "ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:CompleteLayerUpload ecr:InitiateLayerUpload ecr:PutImage "
    "ecr:UploadLayerPart"
)
REDRIVE = "sqs:ReceiveMessage sqs:DeleteMessage sqs:ChangeMessageVisibility"

HOSTING = [
    *[
        need
        for role in (MODEL, ASLEEP, SERVERLESS)
        for need in [
            *of_who_pulls(role),
            *needs(role, "logs:CreateLogGroup logs:CreateLogStream logs:PutLogEvents", LOGS, NO_LOGS),
            *needs(role, "cloudwatch:PutMetricData", ANY, NO_METRICS),
            *needs(role, "s3:GetObject", ASSETS, NO_ARTIFACT),
        ]
    ],
    *needs(MODEL, "cloudwatch:DescribeAlarms", r":alarm:.*", NO_ROLLBACK),
    *needs(MODEL, "s3:PutObject", r"/capture/fraud/[*]", NO_CAPTURE),
    *needs(MODEL, "kms:Decrypt kms:GenerateDataKey", KEY, NO_KMS),
]
IMAGES = [
    *of_a_function(BUILD),
    *needs(BUILD, "ecr:DescribeImages", r":repository/.*-models.*", builder_looks_for_an_image_and_has_it_built),
    *needs(BUILD, "ecr:DescribeImages", r":repository/.*-workers.*", NO_TWIN),
    *needs(BUILD, "codebuild:StartBuild", r":project/.*ModelImage.*", builder_looks_for_an_image_and_has_it_built),
    *needs(BUILD, "codebuild:StartBuild", r":project/.*WorkerProject.*", NO_TWIN),
    *needs(BUILD, "codebuild:BatchGetBuilds", r":project/.*", NO_BUILD_ARN),
    *[
        need
        for role in BUILDS
        for need in [
            *needs(role, PUSH, REPOSITORY, NO_PULL),
            *needs(role, "ecr:GetAuthorizationToken", ANY, NO_PULL),
            *needs(role, "s3:GetObject s3:GetObjectVersion s3:GetBucketAcl s3:GetBucketLocation", ASSETS, NO_PULL),
            *needs(role, "kms:Decrypt kms:DescribeKey kms:Encrypt kms:GenerateDataKey", KEY, NO_KMS),
            *needs(role, "logs:CreateLogStream logs:PutLogEvents", LOGS, NO_LOGS),
        ]
    ],
]
PEOPLE = [
    *needs(UPLOADERS, "cloudformation:DescribeStacks", r":stack/.*storage/[*]", people.uploader_drops_a_file),
    *needs(UPLOADERS, "s3:PutObject", INPUT, people.uploader_drops_a_file),
    *needs(UPLOADERS, "s3:AbortMultipartUpload s3:ListMultipartUploadParts", INPUT, people.uploader_gives_up_an_upload),
    *needs(UPLOADERS, "s3:ListBucket", BUCKET, people.uploader_lists_what_lies_there),
    *needs(UPLOADERS, "kms:Decrypt kms:GenerateDataKey", KEY, NO_KMS),
    *needs(OF_NIGHT, "cloudformation:DescribeStacks", r":stack/.*storage/[*]", people.uploader_of_a_route_drops_a_file),
    *needs(OF_NIGHT, "s3:PutObject", NIGHT, people.uploader_of_a_route_drops_a_file),
    *needs(
        OF_NIGHT,
        "s3:AbortMultipartUpload s3:ListMultipartUploadParts",
        NIGHT,
        people.uploader_of_a_route_gives_up_an_upload,
    ),
    *needs(OF_NIGHT, "s3:ListBucket", BUCKET, people.uploader_of_a_route_lists_what_lies_there),
    *needs(OF_NIGHT, "kms:Decrypt kms:GenerateDataKey", KEY, NO_KMS),
    *needs(READERS, "cloudformation:DescribeStacks", r":stack/.*storage/[*]", people.reader_reads_jobs),
    *needs(READERS, "dynamodb:GetItem", TABLE, people.reader_reads_jobs),
    *needs(READERS, "dynamodb:Query", "/index/by_file", people.reader_reads_jobs),
    *needs(READERS, "dynamodb:Query", "/index/by_status", people.reader_reads_jobs),
    *needs(READERS, "s3:GetObject", OUTPUT, people.reader_reads_scores),
    *needs(READERS, "s3:ListBucket", BUCKET, people.reader_lists_scores),
    *needs(READERS, "kms:Decrypt", KEY, NO_KMS),
    *needs(OPERATORS, "cloudformation:DescribeStacks", r":stack/.*scoring/[*]", people.operator_retries),
    *needs(OPERATORS, "lambda:InvokeFunction", r":function:.*Submit.*", people.operator_retries),
    *needs(OPERATORS, "lambda:InvokeFunction", r":function:.*Track.*", people.operator_redrives),
    *needs(OPERATORS, "lambda:InvokeFunction", r":function:.*Announce.*", people.operator_redrives),
    *needs(OPERATORS, "lambda:InvokeFunction", r":function:.*Reconcile.*", people.operator_redrives),
    *needs(OPERATORS, REDRIVE, QUEUE, people.operator_redrives),
    *needs(OPERATORS, "sqs:GetQueueAttributes", QUEUE, people.operator_watches),
    *needs(OPERATORS, "batch:DescribeJobs", ANY, people.operator_ends_a_job),
    *needs(OPERATORS, "batch:TerminateJob", JOB, people.operator_ends_a_job),
    *needs(OPERATORS, READ_LOGS, LOGS, NO_LOG_ARN),
    *needs(OPERATORS, "cloudwatch:GetDashboard", r":dashboard/.*", NO_WATCH_ARN),
    *needs(OPERATORS, "cloudwatch:DescribeAlarms", ":alarm:[*]", NO_WATCH_ARN),
    *needs(OPERATORS, "cloudwatch:GetMetricData", ANY, people.operator_watches),
    *needs(OPERATORS, "kms:Decrypt", KEY, NO_KMS),
]
NEEDS = [*HOSTING, *IMAGES, *PEOPLE]
