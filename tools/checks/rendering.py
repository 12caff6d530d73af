"""Renders a template's values as in an account: references become names and ARNs."""

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
    """The stacks of an assembly, rendered as if they were deployed."""

    def __init__(self, templates: Mapping[str, dict[str, Any]]) -> None:
        self._templates = templates

    @classmethod
    def of(cls, assembly: Assembly) -> Account:
        return cls({template.stack: template.content for template in assembly.templates})

    def render(self, value: Any, stack: str) -> Any:
        """Replace all references in `value`, a part of the template of `stack`. Raises CheckError."""
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
            case {"Fn::Select": [index, values]}:
                return self.render(values, stack)[int(index)]
            case {"Fn::Sub": str(text)}:
                return re.sub(r"\$\{([\w:.]+)\}", lambda found: self._named(found[1], stack), text)
        return self._render_parts(value, stack)

    def _render_parts(self, value: Any, stack: str) -> Any:
        match value:
            case dict() if any(key.startswith("Fn::") for key in value):
                raise CheckError(f"{stack}: tools/checks/rendering.py cannot render {', '.join(value)}; add it there")
            case dict():
                return {key: self.render(item, stack) for key, item in value.items()}
            case list():
                return [self.render(item, stack) for item in value]
        return value

    def arn(self, name: str, stack: str) -> str:
        resource_type = self._type(name, stack)
        if resource_type not in ARNS:
            raise CheckError(
                f"{stack}/{name}: tools/checks/rendering.py has no ARN for {resource_type}; add it to ARNS"
            )
        return ARNS[resource_type].format(name=_physical(name), uuid=_uuid(name))

    def _attribute(self, name: str, attribute: str, stack: str) -> str:
        if attribute == "StreamArn":  # a real stream name contains colons, which parliament would split on
            return f"{self.arn(name, stack)}/stream/2026"
        return self.arn(name, stack) if attribute.endswith("Arn") else _physical(name)

    def _reference(self, name: str, stack: str) -> str:
        resource_type = self._type(name, stack)
        if REF_IS_ARN.fullmatch(resource_type):
            return self.arn(name, stack)
        return _uuid(name) if resource_type == "AWS::KMS::Key" else _physical(name)

    def _named(self, name: str, stack: str) -> str:
        """The value of `${name}` in a Fn::Sub."""
        resource, dot, attribute = name.partition(".")
        return str(self.render({"Fn::GetAtt": [resource, attribute]} if dot else {"Ref": name}, stack))

    def _type(self, name: str, stack: str) -> str:
        return str(self._templates[stack]["Resources"][name]["Type"])

    @cached_property
    def _exports(self) -> dict[str, tuple[Any, str]]:
        """Export name → the value and the stack that exports it."""
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
