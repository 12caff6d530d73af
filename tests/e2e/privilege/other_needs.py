"""Models, builds, and those who come from outside: what they are given, and who would miss it."""

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
    each,
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
            *each(role, "logs:CreateLogGroup logs:CreateLogStream logs:PutLogEvents", LOGS, NO_LOGS),
            *each(role, "cloudwatch:PutMetricData", ANY, NO_METRICS),
            *each(role, "s3:GetObject", ASSETS, NO_ARTIFACT),
        ]
    ],
    *each(MODEL, "cloudwatch:DescribeAlarms", r":alarm:.*", NO_ROLLBACK),
    *each(MODEL, "s3:PutObject", r"/capture/fraud/[*]", NO_CAPTURE),
    *each(MODEL, "kms:Decrypt kms:GenerateDataKey", KEY, NO_KMS),
]
IMAGES = [
    *of_a_function(BUILD),
    *each(BUILD, "ecr:DescribeImages", r":repository/.*-models.*", builder_looks_for_an_image_and_has_it_built),
    *each(BUILD, "ecr:DescribeImages", r":repository/.*-workers.*", NO_TWIN),
    *each(BUILD, "codebuild:StartBuild", r":project/.*ModelImage.*", builder_looks_for_an_image_and_has_it_built),
    *each(BUILD, "codebuild:StartBuild", r":project/.*WorkerProject.*", NO_TWIN),
    *each(BUILD, "codebuild:BatchGetBuilds", r":project/.*", NO_BUILD_ARN),
    *[
        need
        for role in BUILDS
        for need in [
            *each(role, PUSH, REPOSITORY, NO_PULL),
            *each(role, "ecr:GetAuthorizationToken", ANY, NO_PULL),
            *each(role, "s3:GetObject s3:GetObjectVersion s3:GetBucketAcl s3:GetBucketLocation", ASSETS, NO_PULL),
            *each(role, "kms:Decrypt kms:DescribeKey kms:Encrypt kms:GenerateDataKey", KEY, NO_KMS),
            *each(role, "logs:CreateLogStream logs:PutLogEvents", LOGS, NO_LOGS),
        ]
    ],
]
PEOPLE = [
    *each(UPLOADERS, "cloudformation:DescribeStacks", r":stack/.*storage/[*]", people.uploader_drops_a_file),
    *each(UPLOADERS, "s3:PutObject", INPUT, people.uploader_drops_a_file),
    *each(UPLOADERS, "s3:AbortMultipartUpload s3:ListMultipartUploadParts", INPUT, people.uploader_gives_up_an_upload),
    *each(UPLOADERS, "s3:ListBucket", BUCKET, people.uploader_lists_what_lies_there),
    *each(UPLOADERS, "kms:Decrypt kms:GenerateDataKey", KEY, NO_KMS),
    *each(OF_NIGHT, "cloudformation:DescribeStacks", r":stack/.*storage/[*]", people.uploader_of_a_route_drops_a_file),
    *each(OF_NIGHT, "s3:PutObject", NIGHT, people.uploader_of_a_route_drops_a_file),
    *each(
        OF_NIGHT,
        "s3:AbortMultipartUpload s3:ListMultipartUploadParts",
        NIGHT,
        people.uploader_of_a_route_gives_up_an_upload,
    ),
    *each(OF_NIGHT, "s3:ListBucket", BUCKET, people.uploader_of_a_route_lists_what_lies_there),
    *each(OF_NIGHT, "kms:Decrypt kms:GenerateDataKey", KEY, NO_KMS),
    *each(READERS, "cloudformation:DescribeStacks", r":stack/.*storage/[*]", people.reader_reads_jobs),
    *each(READERS, "dynamodb:GetItem", TABLE, people.reader_reads_jobs),
    *each(READERS, "dynamodb:Query", "/index/by_file", people.reader_reads_jobs),
    *each(READERS, "dynamodb:Query", "/index/by_status", people.reader_reads_jobs),
    *each(READERS, "s3:GetObject", OUTPUT, people.reader_reads_scores),
    *each(READERS, "s3:ListBucket", BUCKET, people.reader_lists_scores),
    *each(READERS, "kms:Decrypt", KEY, NO_KMS),
    *each(OPERATORS, "cloudformation:DescribeStacks", r":stack/.*scoring/[*]", people.operator_retries),
    *each(OPERATORS, "lambda:InvokeFunction", r":function:.*Submit.*", people.operator_retries),
    *each(OPERATORS, "lambda:InvokeFunction", r":function:.*Track.*", people.operator_redrives),
    *each(OPERATORS, "lambda:InvokeFunction", r":function:.*Announce.*", people.operator_redrives),
    *each(OPERATORS, "lambda:InvokeFunction", r":function:.*Reconcile.*", people.operator_redrives),
    *each(OPERATORS, REDRIVE, QUEUE, people.operator_redrives),
    *each(OPERATORS, "sqs:GetQueueAttributes", QUEUE, people.operator_watches),
    *each(OPERATORS, "batch:DescribeJobs", ANY, people.operator_ends_a_job),
    *each(OPERATORS, "batch:TerminateJob", JOB, people.operator_ends_a_job),
    *each(OPERATORS, READ_LOGS, LOGS, NO_LOG_ARN),
    *each(OPERATORS, "cloudwatch:GetDashboard", r":dashboard/.*", NO_WATCH_ARN),
    *each(OPERATORS, "cloudwatch:DescribeAlarms", ":alarm:[*]", NO_WATCH_ARN),
    *each(OPERATORS, "cloudwatch:GetMetricData", ANY, people.operator_watches),
    *each(OPERATORS, "kms:Decrypt", KEY, NO_KMS),
]
NEEDS = [*HOSTING, *IMAGES, *PEOPLE]
