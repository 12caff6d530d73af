"""A template that follows all our own rules, and one change per rule that breaks only that rule."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

ECR = "123456789012.dkr.ecr.us-east-1.amazonaws.com/worker"
KEY = {"Fn::GetAtt": ["Key", "Arn"]}
DEAD_LETTERS = {"Fn::GetAtt": ["Queue", "Arn"]}


def _resource(resource_type: str, **properties: Any) -> Json:
    return {"Type": f"AWS::{resource_type}", "Properties": properties}


TEMPLATE: Json = {
    "Resources": {
        "Definition": _resource(
            "Batch::JobDefinition",
            Type="container",
            PropagateTags=True,
            Timeout={"AttemptDurationSeconds": 3600},
            RetryStrategy={
                "Attempts": 3,
                "EvaluateOnExit": [
                    {"Action": "EXIT", "OnExitCode": "10"},
                    {"Action": "EXIT", "OnReason": "OutOfMemory*"},
                ],
            },
            ContainerProperties={
                "Image": f"{ECR}:66ecb3b17b4bab12",
                "User": "10001:10001",
                "ReadonlyRootFilesystem": True,
                "NetworkConfiguration": {"AssignPublicIp": "DISABLED"},
                "LogConfiguration": {"LogDriver": "awslogs", "Options": {"awslogs-group": {"Ref": "Group"}}},
            },
        ),
        "JobQueue": _resource(
            "Batch::JobQueue",
            JobStateTimeLimitActions=[
                {"State": "RUNNABLE", "Action": "CANCEL", "MaxTimeSeconds": 86400, "Reason": "CAPACITY"}
            ],
        ),
        "Compute": _resource(
            "Batch::ComputeEnvironment",
            ComputeResources={"MaxvCpus": 64, "Type": "SPOT"},
            Tags={"dropscore:env": "dev"},
            UpdatePolicy={"TerminateJobsOnUpdate": False, "JobExecutionTimeoutMinutes": 720},
        ),
        "Fargate": _resource("Batch::ComputeEnvironment", ComputeResources={"MaxvCpus": 64, "Type": "FARGATE"}),
        "Model": _resource(
            "SageMaker::Model",
            EnableNetworkIsolation=True,
            PrimaryContainer={"Image": {"Fn::Sub": "${AWS::AccountId}.dkr.ecr.${AWS::Region}.amazonaws.com/m:0a1b"}},
        ),
        "OtherModel": _resource(
            "SageMaker::Model",
            EnableNetworkIsolation=True,
            PrimaryContainer={"Image": {"Fn::Join": ["", [{"Fn::GetAtt": ["Repository", "RepositoryUri"]}, ":0a1b"]]}},
        ),
        "Config": _resource(
            "SageMaker::EndpointConfig",
            KmsKeyId=KEY,
            DataCaptureConfig={"EnableCapture": True, "KmsKeyId": KEY},
            ProductionVariants=[{"InstanceType": "ml.m5.large"}],
        ),
        "ConfigOfLocalDisks": _resource(
            "SageMaker::EndpointConfig", ProductionVariants=[{"InstanceType": "ml.m5d.large"}]
        ),
        "ServerlessConfig": _resource(
            "SageMaker::EndpointConfig", ProductionVariants=[{"ServerlessConfig": {"MemorySizeInMB": 2048}}]
        ),
        "Repository": _resource(
            "ECR::Repository",
            ImageTagMutability="IMMUTABLE",
            ImageScanningConfiguration={"ScanOnPush": True},
            LifecyclePolicy={"LifecyclePolicyText": "{}"},
            EncryptionConfiguration={"EncryptionType": "KMS", "KmsKey": KEY},
        ),
        "Build": _resource("CodeBuild::Project", TimeoutInMinutes=30, EncryptionKey=KEY),
        "Rule": _resource(
            "Events::Rule",
            Targets=[
                {
                    "Arn": {"Fn::GetAtt": ["Function", "Arn"]},
                    "DeadLetterConfig": {"Arn": DEAD_LETTERS},
                    "RetryPolicy": {"MaximumEventAgeInSeconds": 86400},
                }
            ],
        ),
        "Function": _resource(
            "Lambda::Function",
            DeadLetterConfig={"TargetArn": DEAD_LETTERS},
            LoggingConfig={"LogGroup": {"Ref": "Group"}},
            TracingConfig={"Mode": "Active"},
        ),
        "Permission": _resource("Lambda::Permission", SourceArn={"Fn::GetAtt": ["Rule", "Arn"]}),
        "Queue": _resource("SQS::Queue", MessageRetentionPeriod=1209600, KmsMasterKeyId=KEY),
        "Topic": _resource("SNS::Topic", KmsMasterKeyId=KEY),
        "Group": _resource("Logs::LogGroup", RetentionInDays=90, KmsKeyId=KEY),
        "Key": _resource(
            "KMS::Key",
            KeyPolicy={
                "Statement": [
                    {"Effect": "Allow", "Principal": {"AWS": {"Fn::Join": ["", ["arn:aws:iam::1:root"]]}}},
                    {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}},
                    {"Effect": "Deny", "Principal": "*"},
                ]
            },
        ),
        "Table": _resource(
            "DynamoDB::Table",
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
            SSESpecification={"SSEEnabled": True, "KMSMasterKeyId": KEY},
        ),
        "Bucket": _resource(
            "S3::Bucket",
            LifecycleConfiguration={
                "Rules": [{"Status": "Enabled", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}]
            },
        ),
        "BucketPolicy": {**_resource("S3::BucketPolicy", Bucket={"Ref": "Bucket"}), "DeletionPolicy": "Retain"},
        "Role": _resource("IAM::Role", ManagedPolicyArns=["arn:aws:iam::aws:policy/ReadOnlyAccess"]),
        "Door": _resource(
            "EC2::VPCEndpoint",
            PolicyDocument={"Statement": [{"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject"]}]},
        ),
        "Subnet": _resource("EC2::Subnet", MapPublicIpOnLaunch=False),
        "Launch": _resource(
            "EC2::LaunchTemplate",
            LaunchTemplateData={
                "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
                "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True}}],
            },
        ),
    }
}

GONE = object()
LATEST = f"{ECR}:latest"
ADMINISTRATOR = {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":iam::aws:policy/AdministratorAccess"]]}
_JOB = "Definition.Properties"
_CONTAINER = f"{_JOB}.ContainerProperties"
_LAUNCH = "Launch.Properties.LaunchTemplateData"

# The rule, the place of the change in `Resources` (`..` leads above them), and the new value.
BREAKS: list[tuple[str, str, object]] = [
    ("batch_jobs_use_container_properties", _CONTAINER, GONE),
    ("batch_jobs_are_tried_again", f"{_JOB}.RetryStrategy.Attempts", 1),
    ("batch_jobs_are_tried_again", f"{_JOB}.RetryStrategy.Attempts", GONE),
    ("batch_permanent_errors_are_not_retried", f"{_JOB}.RetryStrategy.EvaluateOnExit.0.Action", "RETRY"),
    ("batch_permanent_errors_are_not_retried", f"{_JOB}.RetryStrategy.EvaluateOnExit.1.Action", "RETRY"),
    ("batch_permanent_errors_are_not_retried", f"{_JOB}.RetryStrategy.EvaluateOnExit.1.OnReason", "Host EC2*"),
    ("batch_permanent_errors_are_not_retried", f"{_JOB}.RetryStrategy.EvaluateOnExit", GONE),
    ("batch_jobs_time_out", f"{_JOB}.Timeout", GONE),
    ("batch_jobs_propagate_tags", f"{_JOB}.PropagateTags", GONE),
    ("batch_root_is_read_only", f"{_CONTAINER}.ReadonlyRootFilesystem", GONE),
    ("batch_root_is_read_only", f"{_CONTAINER}.ReadonlyRootFilesystem", False),
    ("batch_user_is_not_root", f"{_CONTAINER}.User", GONE),
    ("batch_user_is_not_root", f"{_CONTAINER}.User", "root"),
    ("batch_user_is_not_root", f"{_CONTAINER}.User", "0:0"),
    ("batch_containers_have_no_privileges", f"{_CONTAINER}.Privileged", True),
    ("batch_jobs_have_no_public_address", f"{_CONTAINER}.NetworkConfiguration.AssignPublicIp", "ENABLED"),
    ("batch_jobs_log_to_a_group_of_ours", f"{_CONTAINER}.LogConfiguration", GONE),
    ("batch_jobs_log_to_a_group_of_ours", f"{_CONTAINER}.LogConfiguration.Options.awslogs-group", "/aws/batch/job"),
    ("batch_queues_give_up_waiting", "JobQueue.Properties.JobStateTimeLimitActions", GONE),
    ("batch_pools_let_jobs_finish", "Compute.Properties.UpdatePolicy", GONE),
    ("batch_pools_let_jobs_finish", "Compute.Properties.UpdatePolicy.TerminateJobsOnUpdate", True),
    ("batch_pools_let_jobs_finish", "Compute.Properties.UpdatePolicy.JobExecutionTimeoutMinutes", GONE),
    ("batch_pools_have_no_tag_that_may_change", "Compute.Properties.Tags.team", "risk"),
    ("bucket_policies_stay_or_go_with_their_bucket", "BucketPolicy.DeletionPolicy", GONE),
    ("batch_capacity_is_bounded", "Compute.Properties.ComputeResources.MaxvCpus", GONE),
    ("sagemaker_models_are_isolated", "Model.Properties.EnableNetworkIsolation", GONE),
    ("sagemaker_volumes_have_a_key", "Config.Properties.KmsKeyId", GONE),
    ("sagemaker_captures_under_a_key", "Config.Properties.DataCaptureConfig.KmsKeyId", GONE),
    ("images_are_pinned", f"{_CONTAINER}.Image", LATEST),
    ("images_are_pinned", f"{_CONTAINER}.Image", ECR),
    ("images_are_pinned", f"{_CONTAINER}.Image", {"Fn::Sub": "${AWS::AccountId}.dkr.ecr.amazonaws.com/m:latest"}),
    ("images_are_pinned", "Model.Properties.PrimaryContainer.Image", LATEST),
    ("images_are_pinned", "Model.Properties.PrimaryContainer.Image", ECR),
    ("images_are_pinned", "Model.Properties.PrimaryContainer.Image", {"Fn::Sub": "${AWS::AccountId}/m:latest"}),
    ("images_are_pinned", "OtherModel.Properties.PrimaryContainer.Image.Fn::Join.1.1", ":latest"),
    ("images_are_pinned", f"{_CONTAINER}.Image", {"Fn::Join": ["", [{"Ref": "Repository"}, ":latest"]]}),
    ("ecr_tags_are_immutable", "Repository.Properties.ImageTagMutability", GONE),
    ("ecr_scans_on_push", "Repository.Properties.ImageScanningConfiguration", GONE),
    ("ecr_images_expire", "Repository.Properties.LifecyclePolicy", GONE),
    ("ecr_images_have_a_key", "Repository.Properties.EncryptionConfiguration.EncryptionType", "AES256"),
    ("builds_end", "Build.Properties.TimeoutInMinutes", GONE),
    ("builds_have_a_key", "Build.Properties.EncryptionKey", GONE),
    ("events_that_fail_are_kept", "Rule.Properties.Targets.0.DeadLetterConfig", GONE),
    ("events_are_tried_for_hours", "Rule.Properties.Targets.0.RetryPolicy", GONE),
    ("functions_keep_what_fails", "Function.Properties.DeadLetterConfig", GONE),
    ("functions_log_to_a_group_of_ours", "Function.Properties.LoggingConfig", GONE),
    ("functions_are_traced", "Function.Properties.TracingConfig.Mode", "PassThrough"),
    ("functions_are_called_by_known_sources", "Permission.Properties.SourceArn", GONE),
    ("queues_keep_for_a_fortnight", "Queue.Properties.MessageRetentionPeriod", GONE),
    ("queues_have_a_key", "Queue.Properties.KmsMasterKeyId", GONE),
    ("topics_have_a_key", "Topic.Properties.KmsMasterKeyId", GONE),
    ("logs_expire", "Group.Properties.RetentionInDays", GONE),
    ("logs_have_a_key", "Group.Properties.KmsKeyId", GONE),
    ("keys_name_whom_they_trust", "Key.Properties.KeyPolicy.Statement.1.Principal", "*"),
    ("keys_name_whom_they_trust", "Key.Properties.KeyPolicy.Statement.0.Principal.AWS", "*"),
    ("keys_name_whom_they_trust", "Key.Properties.KeyPolicy.Statement.0.Principal.AWS", ["arn:aws:iam::1:root", "*"]),
    ("tables_can_be_restored", "Table.Properties.PointInTimeRecoverySpecification", GONE),
    ("tables_have_a_key", "Table.Properties.SSESpecification.KMSMasterKeyId", GONE),
    ("buckets_end_broken_uploads", "Bucket.Properties.LifecycleConfiguration.Rules.0.Status", "Disabled"),
    ("buckets_end_broken_uploads", "Bucket.Properties.LifecycleConfiguration", GONE),
    ("roles_borrow_no_broad_policy", "Role.Properties.ManagedPolicyArns.0", "arn:aws:iam::aws:policy/S3FullAccess"),
    ("roles_borrow_no_broad_policy", "Role.Properties.ManagedPolicyArns.0", ADMINISTRATOR),
    ("endpoints_have_policies", "Door.Properties.PolicyDocument", GONE),
    ("endpoints_allow_no_action_by_wildcard", "Door.Properties.PolicyDocument.Statement.0.Action", "*"),
    ("endpoints_allow_no_action_by_wildcard", "Door.Properties.PolicyDocument.Statement.0.Action", ["s3:*"]),
    ("subnets_give_no_public_addresses", "Subnet.Properties.MapPublicIpOnLaunch", True),
    ("instances_want_session_tokens", f"{_LAUNCH}.MetadataOptions.HttpTokens", "optional"),
    ("instances_want_session_tokens", f"{_LAUNCH}.MetadataOptions.HttpPutResponseHopLimit", 2),
    ("instance_volumes_are_encrypted", f"{_LAUNCH}.BlockDeviceMappings.0.Ebs.Encrypted", GONE),
    ("templates_decide_nothing", "..Parameters", {"Stage": {"Type": "String"}}),
    ("templates_decide_nothing", "..Conditions", {"IsProduction": {"Fn::Equals": ["a", "b"]}}),
    ("custom_resources_are_our_builds", "Extra", {"Type": "Custom::S3BucketNotifications", "Properties": {}}),
]
