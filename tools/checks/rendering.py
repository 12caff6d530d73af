"""A template's values as they would be in an account: names and ARNs in the place of references."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from tools.checks.findings import CheckError
from tools.checks.subject import Assembly

ACCOUNT, REGION = "123456789012", "us-east-1"
PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": REGION,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "stack",
    "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/stack/1",
    "AWS::NoValue": "",
}
_HERE = f"{REGION}:{ACCOUNT}"
ARNS = {
    "AWS::Batch::ComputeEnvironment": f"arn:aws:batch:{_HERE}:compute-environment/{{name}}",
    "AWS::Batch::JobDefinition": f"arn:aws:batch:{_HERE}:job-definition/{{name}}:1",
    "AWS::Batch::JobQueue": f"arn:aws:batch:{_HERE}:job-queue/{{name}}",
    "AWS::Batch::SchedulingPolicy": f"arn:aws:batch:{_HERE}:scheduling-policy/{{name}}",
    "AWS::CloudTrail::Trail": f"arn:aws:cloudtrail:{_HERE}:trail/{{name}}",
    "AWS::CloudWatch::Alarm": f"arn:aws:cloudwatch:{_HERE}:alarm:{{name}}",
    "AWS::CodeBuild::Project": f"arn:aws:codebuild:{_HERE}:project/{{name}}",
    "AWS::DynamoDB::Table": f"arn:aws:dynamodb:{_HERE}:table/{{name}}",
    "AWS::ECR::Repository": f"arn:aws:ecr:{_HERE}:repository/{{name}}",
    "AWS::ECS::Cluster": f"arn:aws:ecs:{_HERE}:cluster/{{name}}",
    "AWS::EC2::VPCEndpoint": f"arn:aws:ec2:{_HERE}:vpc-endpoint/{{name}}",
    "AWS::Events::EventBus": f"arn:aws:events:{_HERE}:event-bus/{{name}}",
    "AWS::Events::Rule": f"arn:aws:events:{_HERE}:rule/{{name}}",
    "AWS::IAM::InstanceProfile": f"arn:aws:iam::{ACCOUNT}:instance-profile/{{name}}",
    "AWS::IAM::ManagedPolicy": f"arn:aws:iam::{ACCOUNT}:policy/{{name}}",
    "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT}:role/{{name}}",
    "AWS::KMS::Key": f"arn:aws:kms:{_HERE}:key/{{uuid}}",
    "AWS::Lambda::Function": f"arn:aws:lambda:{_HERE}:function:{{name}}",
    "AWS::Logs::LogGroup": f"arn:aws:logs:{_HERE}:log-group:{{name}}:*",
    "AWS::S3::Bucket": "arn:aws:s3:::{name}",
    "AWS::SageMaker::Endpoint": f"arn:aws:sagemaker:{_HERE}:endpoint/{{name}}",
    "AWS::SageMaker::EndpointConfig": f"arn:aws:sagemaker:{_HERE}:endpoint-config/{{name}}",
    "AWS::SageMaker::InferenceComponent": f"arn:aws:sagemaker:{_HERE}:inference-component/{{name}}",
    "AWS::SageMaker::Model": f"arn:aws:sagemaker:{_HERE}:model/{{name}}",
    "AWS::SNS::Topic": f"arn:aws:sns:{_HERE}:{{name}}",
    "AWS::SQS::Queue": f"arn:aws:sqs:{_HERE}:{{name}}",
}
REF_IS_ARN = re.compile(
    r"AWS::(Batch::.*|IAM::ManagedPolicy|SNS::Topic|SageMaker::(Endpoint|EndpointConfig|Model|InferenceComponent))"
)


class Account:
    """The stacks of one assembly as if they were deployed."""

    def __init__(self, templates: Mapping[str, dict[str, Any]]) -> None:
        self._templates = templates

    @classmethod
    def of(cls, assembly: Assembly) -> Account:
        return cls({template.stack: template.content for template in assembly.templates})

    def render(self, value: Any, stack: str) -> Any:
        """`value`, which stands in the template of `stack`, with no reference left in it."""
        match value:
            case {"Ref": str(name)}:
                return PSEUDO[name] if name in PSEUDO else self._reference(name, stack)
            case {"Fn::GetAtt": [name, attribute]}:
                return self._attribute(name, attribute, stack)
            case {"Fn::ImportValue": name}:
                return self.render(*self._exports[self.render(name, stack)])
            case {"Fn::Join": [separator, parts]}:
                return separator.join(str(part) for part in self.render(parts, stack))
            case {"Fn::Split": [separator, text]}:
                return self.render(text, stack).split(separator)
            case {"Fn::Select": [index, of]}:
                return self.render(of, stack)[int(index)]
            case {"Fn::Sub": str(text)}:
                return re.sub(r"\$\{([\w:.]+)\}", lambda found: self._named(found[1], stack), text)
        return self._render_parts(value, stack)

    def _render_parts(self, value: Any, stack: str) -> Any:
        match value:
            case dict() if any(key.startswith("Fn::") for key in value):
                raise CheckError(f"{stack}: tools/checks/rendering.py cannot render {', '.join(value)}; teach it")
            case dict():
                return {key: self.render(each, stack) for key, each in value.items()}
            case list():
                return [self.render(each, stack) for each in value]
        return value

    def arn(self, name: str, stack: str) -> str:
        kind = self._kind(name, stack)
        if kind not in ARNS:
            raise CheckError(f"{stack}/{name}: tools/checks/rendering.py knows no ARN of {kind}; add it to ARNS")
        return ARNS[kind].format(name=_physical(name), uuid=_uuid(name))

    def _attribute(self, name: str, attribute: str, stack: str) -> str:
        if attribute == "StreamArn":  # a stream is named by its time, but parliament takes colons for new parts
            return f"{self.arn(name, stack)}/stream/2026"
        return self.arn(name, stack) if attribute.endswith("Arn") else _physical(name)

    def _reference(self, name: str, stack: str) -> str:
        kind = self._kind(name, stack)
        if REF_IS_ARN.fullmatch(kind):
            return self.arn(name, stack)
        return _uuid(name) if kind == "AWS::KMS::Key" else _physical(name)

    def _named(self, name: str, stack: str) -> str:
        """What `${name}` in a Fn::Sub stands for."""
        resource, dot, attribute = name.partition(".")
        return str(self.render({"Fn::GetAtt": [resource, attribute]} if dot else {"Ref": name}, stack))

    def _kind(self, name: str, stack: str) -> str:
        return str(self._templates[stack]["Resources"][name]["Type"])

    @cached_property
    def _exports(self) -> dict[str, tuple[Any, str]]:
        """Name → the value, and the stack in whose template it stands."""
        return {
            str(self.render(output["Export"]["Name"], stack)): (output["Value"], stack)
            for stack, template in self._templates.items()
            for output in template.get("Outputs", {}).values()
            if "Export" in output
        }


def _physical(name: str) -> str:
    return name.lower()


def _uuid(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))
