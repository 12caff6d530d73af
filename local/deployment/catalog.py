"""How the embedded cloud handles each CloudFormation resource type. A type that is not listed here is an error."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from local.deployment.account import arn

EMULATED = frozenset(
    {
        "AWS::CDK::Metadata",
        "AWS::CloudWatch::Alarm",
        "AWS::CloudWatch::Dashboard",
        "AWS::CodeBuild::Project",
        "AWS::DynamoDB::Table",
        "AWS::EC2::InternetGateway",
        "AWS::EC2::LaunchTemplate",
        "AWS::EC2::RouteTable",
        "AWS::EC2::SecurityGroup",
        "AWS::EC2::Subnet",
        "AWS::EC2::SubnetRouteTableAssociation",
        "AWS::EC2::VPC",
        "AWS::EC2::VPCEndpoint",
        "AWS::EC2::VPCGatewayAttachment",
        "AWS::ECR::Repository",
        "AWS::Events::Rule",
        "AWS::IAM::InstanceProfile",
        "AWS::IAM::ManagedPolicy",
        "AWS::IAM::Policy",
        "AWS::IAM::Role",
        "AWS::KMS::Alias",
        "AWS::KMS::Key",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::Function",
        "AWS::Lambda::Permission",
        "AWS::Logs::LogGroup",
        "AWS::Logs::MetricFilter",
        "AWS::S3::Bucket",
        "AWS::S3::BucketPolicy",
        "AWS::SNS::Subscription",
        "AWS::SNS::Topic",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::Queue",
        "AWS::SQS::QueuePolicy",
        "AWS::SSM::Parameter",
    }
)

NOT_EMULATED: Mapping[str, str] = MappingProxyType(
    {
        "AWS::CloudTrail::Trail": "API calls and bucket accesses are not recorded",
        "AWS::EC2::EIP": "no traffic leaves this machine",
        "AWS::EC2::FlowLog": "network traffic is not recorded",
        "AWS::EC2::NatGateway": "no traffic leaves this machine",
        "AWS::EC2::Route": "there is no routing",
        "AWS::EC2::SecurityGroupIngress": "security groups do not filter traffic",
        "AWS::EC2::SecurityGroupEgress": "security groups do not filter traffic",
        "Custom::ImageBuild": "images are not built; processes run from the build context",
        "Custom::S3AutoDeleteObjects": "acts only when a stack is deleted",
    }
)

# Limits of every run, printed after the resources above.
LIMITS = (
    "images are not built: a container's command runs in the environment of its requirements.txt",
    "endpoints do not scale: each is one process; one that can scale to zero refuses its first requests",
    "no container isolation: memory limits, users, read-only file systems and networks are not enforced",
    "a job's execution role, image pulls and KMS grants are not checked; every other permission is",
    "alarms, metric filters and embedded metrics do not work; a rule that cannot reach its target is only logged",
)


# Condition keys that the emulator cannot evaluate: a permission with one of them would never apply.
UNKNOWN_CONDITIONS = frozenset({"events:source", "events:detail-type", "aws:ResourceTag/dropscore:env"})

# Properties that the emulator's CloudFormation silently ignores; the deployer sets them through the service's API.
DROPPED: Mapping[str, str] = MappingProxyType(
    {"AWS::DynamoDB::Table": "TimeToLiveSpecification", "AWS::Lambda::Function": "DeadLetterConfig"}
)


@dataclass(frozen=True)
class ShimmedType:
    """How CloudFormation resolves Ref and GetAtt for a resource type that the shim runs."""

    name_property: str
    ref: Callable[[str], str]
    attributes: Mapping[str, Callable[[str], str]]


def _batch(name_property: str, arn_type: str, attribute: str, suffix: str = "") -> ShimmedType:
    def ref(name: str) -> str:
        return arn("batch", f"{arn_type}/{name}{suffix}")

    return ShimmedType(name_property, ref, {attribute: ref})


def _sagemaker(name_property: str, arn_type: str) -> ShimmedType:
    # SageMaker keeps a name's case but lowers it in the ARN: a policy made from the name may not match.
    return ShimmedType(name_property, lambda name: arn("sagemaker", f"{arn_type}/{name.lower()}"), {name_property: str})


SHIMMED: Mapping[str, ShimmedType] = MappingProxyType(
    {
        "AWS::Batch::ComputeEnvironment": _batch(
            "ComputeEnvironmentName", "compute-environment", "ComputeEnvironmentArn"
        ),
        "AWS::Batch::JobQueue": _batch("JobQueueName", "job-queue", "JobQueueArn"),
        "AWS::Batch::SchedulingPolicy": _batch("Name", "scheduling-policy", "Arn"),
        "AWS::Batch::JobDefinition": _batch("JobDefinitionName", "job-definition", "JobDefinitionArn", suffix=":1"),
        "AWS::SageMaker::Model": _sagemaker("ModelName", "model"),
        "AWS::SageMaker::EndpointConfig": _sagemaker("EndpointConfigName", "endpoint-config"),
        "AWS::SageMaker::Endpoint": _sagemaker("EndpointName", "endpoint"),
        "AWS::SageMaker::InferenceComponent": _sagemaker("InferenceComponentName", "inference-component"),
        # The shim reads a target's minimum number of copies; an emulated alarm refers to a policy.
        "AWS::ApplicationAutoScaling::ScalableTarget": ShimmedType("ResourceId", str, {}),
        "AWS::ApplicationAutoScaling::ScalingPolicy": ShimmedType(
            "PolicyName", lambda name: arn("autoscaling", f"scalingPolicy:{name}"), {}
        ),
    }
)


def generated_name(stack: str, logical_id: str) -> str:
    """A name like CloudFormation's: the logical id and a suffix, at most 63 characters."""
    return f"{logical_id[:50]}-{hashlib.sha256(f'{stack}/{logical_id}'.encode()).hexdigest()[:12]}"
