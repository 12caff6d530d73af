"""Every CloudFormation type the embedded cloud knows, and what becomes of it. Closed: an unknown type is an error."""

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
        "AWS::CloudTrail::Trail": "no call is recorded; nor are accesses to the bucket logged",
        "AWS::EC2::EIP": "nothing leaves this machine",
        "AWS::EC2::FlowLog": "no network traffic is recorded",
        "AWS::EC2::NatGateway": "nothing leaves this machine",
        "AWS::EC2::Route": "nothing is routed here",
        "AWS::EC2::SecurityGroupIngress": "security groups filter nothing here",
        "AWS::EC2::SecurityGroupEgress": "security groups filter nothing here",
        "Custom::ImageBuild": "no image is built or pushed; the process runs from what would go into it",
        "Custom::S3AutoDeleteObjects": "only acts when a stack is deleted",
    }
)

# True of every run; printed with the resources above.
LIMITS = (
    "images are not built: a container's own command runs in the environment of its requirements.txt",
    "endpoints do not scale: each is one process; one that may scale to nothing sleeps until it is asked a few times",
    "no container isolation: memory limits, users, read-only file systems and networks are not enforced",
    "a job's execution role, image pulls and KMS grants are not checked; every other permission is",
    "alarms, metric filters and embedded metrics measure nothing; a rule that cannot reach its target is only logged",
)


# Condition keys that the emulator never finds in a request: a permission that asks for one would permit nothing.
UNKNOWN_CONDITIONS = frozenset({"events:source", "events:detail-type", "aws:ResourceTag/dropscore:env"})

# What the emulator's CloudFormation drops from a template without a word; the deployer sets it by the service's API.
DROPPED: Mapping[str, str] = MappingProxyType(
    {"AWS::DynamoDB::Table": "TimeToLiveSpecification", "AWS::Lambda::Function": "DeadLetterConfig"}
)


@dataclass(frozen=True)
class Kind:
    """How CloudFormation answers Ref and GetAtt for a shimmed type."""

    name_property: str
    ref: Callable[[str], str]
    attributes: Mapping[str, Callable[[str], str]]


def _batch(name_property: str, kind: str, attribute: str, suffix: str = "") -> Kind:
    def ref(name: str) -> str:
        return arn("batch", f"{kind}/{name}{suffix}")

    return Kind(name_property, ref, {attribute: ref})


def _sagemaker(name_property: str, kind: str) -> Kind:
    # SageMaker keeps a name's case but lowers it in the ARN: a policy made from the name may not match.
    return Kind(name_property, lambda name: arn("sagemaker", f"{kind}/{name.lower()}"), {name_property: str})


SHIMMED: Mapping[str, Kind] = MappingProxyType(
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
        # What scales: the shim reads how few copies there may be; an alarm, emulated, refers to a policy.
        "AWS::ApplicationAutoScaling::ScalableTarget": Kind("ResourceId", str, {}),
        "AWS::ApplicationAutoScaling::ScalingPolicy": Kind(
            "PolicyName", lambda name: arn("autoscaling", f"scalingPolicy:{name}"), {}
        ),
    }
)


def generated_name(stack: str, logical_id: str) -> str:
    """As CloudFormation names what the template does not: the logical id and something unguessable, 63 at most."""
    return f"{logical_id[:50]}-{hashlib.sha256(f'{stack}/{logical_id}'.encode()).hexdigest()[:12]}"
