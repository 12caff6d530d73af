from __future__ import annotations

from typing import Any

import pytest

from dropscore.errors import ConfigurationError
from local.deployment.catalog import DROPPED, EMULATED, NOT_EMULATED, SHIMMED, generated_name
from local.deployment.references import OUTPUT
from local.deployment.rewrite import Rewritten, rewrite

QUEUE = generated_name("stack", "Queue")
QUEUE_ARN = f"arn:aws:batch:us-east-1:000000000000:job-queue/{QUEUE}"
ENDPOINT = generated_name("stack", "Endpoint")


def rewritten(resources: dict[str, Any], **parts: Any) -> Rewritten:
    return rewrite("stack", {"Resources": resources, **parts})


def resource(resource_type: str, **properties: Any) -> dict[str, Any]:
    return {"Type": resource_type, "Properties": properties}


def test_error_names_type_and_stack_when_a_type_is_unknown() -> None:
    with pytest.raises(ConfigurationError, match=r"stack/New: .* AWS::New::Thing.*local/deployment/catalog\.py"):
        rewritten({"New": resource("AWS::New::Thing")})


def test_each_type_is_in_one_table() -> None:
    tables = [set(EMULATED), set(NOT_EMULATED), set(SHIMMED)]
    assert sum(map(len, tables)) == len(set.union(*tables))
    assert set(DROPPED) <= EMULATED


def test_references_to_shimmed_resources_become_literals() -> None:
    result = rewritten(
        {
            "Queue": resource("AWS::Batch::JobQueue"),
            "Endpoint": resource("AWS::SageMaker::Endpoint", EndpointConfigName="c"),
            "Policy": resource(
                "AWS::IAM::Policy",
                ByRef={"Ref": "Queue"},
                ByAttribute={"Fn::GetAtt": ["Endpoint", "EndpointName"]},
                BySub={"Fn::Sub": "x/${Queue}/${Endpoint.EndpointName}/${AWS::Region}/${!Queue}"},
                ByListSub={"Fn::Sub": ["${Queue}-${v}", {"v": {"Ref": "Queue"}}]},
            ),
        },
        Outputs={"Out": {"Value": {"Fn::GetAtt": "Queue.JobQueueArn"}}},
    )

    assert set(result.template["Resources"]) == {"Policy"}
    assert result.template["Resources"]["Policy"]["Properties"] == {
        "ByRef": QUEUE_ARN,
        "ByAttribute": ENDPOINT,
        "BySub": {"Fn::Sub": f"x/{QUEUE_ARN}/{ENDPOINT}/${{AWS::Region}}/${{!Queue}}"},
        "ByListSub": {"Fn::Sub": [f"{QUEUE_ARN}-${{v}}", {"v": QUEUE_ARN}]},
    }
    assert result.template["Outputs"]["Out"] == {"Value": QUEUE_ARN}
    queue, _ = result.shimmed
    assert (queue.logical_id, queue.name, queue.arn) == ("Queue", QUEUE, QUEUE_ARN)


def test_endpoint_keeps_its_names_case_and_lowers_it_in_the_arn() -> None:
    result = rewritten({"Endpoint": resource("AWS::SageMaker::Endpoint", EndpointName="MyModel")})
    assert result.shimmed[0].name == "MyModel"
    assert result.shimmed[0].arn == "arn:aws:sagemaker:us-east-1:000000000000:endpoint/mymodel"


def test_error_when_an_attribute_of_a_shimmed_resource_is_unknown() -> None:
    resources = {
        "Queue": resource("AWS::Batch::JobQueue"),
        "P": resource("AWS::IAM::Policy", X={"Fn::GetAtt": ["Queue", "No"]}),
    }
    with pytest.raises(ConfigurationError, match=r"stack reads No of Queue \(AWS::Batch::JobQueue\)"):
        rewritten(resources)


def test_values_that_a_shimmed_resource_needs_become_outputs() -> None:
    role = {"Fn::GetAtt": ["Role", "Arn"]}
    image = {"Fn::Sub": "${AWS::AccountId}.dkr.ecr/x:tag"}
    container = {"JobRoleArn": role, "ExecutionRoleArn": role, "Image": image}
    definition = resource("AWS::Batch::JobDefinition", ContainerProperties=container)
    result = rewritten({"Role": resource("AWS::IAM::Role"), "Job": definition})

    added = {key: value["Value"] for key, value in result.template["Outputs"].items()}
    assert sorted(map(str, added.values())) == sorted(map(str, (role, image)))
    outputs = {key: "ROLE" if value == role else "IMAGE" for key, value in added.items()}
    filled = {"JobRoleArn": "ROLE", "ExecutionRoleArn": "ROLE", "Image": "IMAGE"}
    assert result.shimmed[0].filled(outputs).properties == {"ContainerProperties": filled}


def test_omitted_resources_are_listed_without_dependencies() -> None:
    log = {"Type": "AWS::EC2::FlowLog"}
    kept = {"Type": "AWS::SQS::Queue", "DependsOn": ["Flow", "Other"]}
    alone = {"Type": "AWS::SQS::Queue", "DependsOn": "Flow"}
    result = rewritten({"Flow": log, "Kept": kept, "Alone": alone, "Other": {"Type": "AWS::SQS::Queue"}})

    assert result.not_emulated == ("stack/Flow (AWS::EC2::FlowLog): network traffic is not recorded",)
    assert result.template["Resources"]["Kept"]["DependsOn"] == ["Other"]
    assert "DependsOn" not in result.template["Resources"]["Alone"]


def test_error_when_a_resource_refers_to_an_omitted_one() -> None:
    with pytest.raises(ConfigurationError, match=r"stack refers to Flow, which .* lists as not emulated"):
        rewritten({"Flow": resource("AWS::EC2::FlowLog"), "Q": resource("AWS::SQS::Queue", QueueName={"Ref": "Flow"})})


def test_only_the_tls_statement_is_removed_and_listed() -> None:
    tls = {"Effect": "Deny", "Action": "s3:*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    other = {"Effect": "Deny", "Action": "s3:*", "Condition": {"Bool": {"aws:SecureTransport": "false", "x": "y"}}}
    result = rewritten(
        {
            "Both": resource("AWS::S3::BucketPolicy", PolicyDocument={"Statement": [tls, other]}),
            "Only": resource("AWS::SQS::QueuePolicy", PolicyDocument={"Statement": [tls]}),
        }
    )

    assert set(result.template["Resources"]) == {"Both"}
    assert result.template["Resources"]["Both"]["Properties"]["PolicyDocument"]["Statement"] == [other]
    assert [note.split(":")[0] for note in result.not_emulated] == ["stack/Both", "stack/Only"]


def test_source_account_is_removed_from_trust_policies() -> None:
    ours, other = {"aws:SourceAccount": "1"}, {"aws:SourceAccount": "1", "x": "y"}
    statements = [{"Effect": "Allow", "Condition": {"StringEquals": dict(condition)}} for condition in (ours, other)]
    role = resource("AWS::IAM::Role", AssumeRolePolicyDocument={"Statement": [*statements, {"Effect": "Allow"}]})
    result = rewritten({"Role": role})

    written = result.template["Resources"]["Role"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert [statement.get("Condition") for statement in written] == [
        {"StringEquals": {}},
        {"StringEquals": {"x": "y"}},
        None,
    ]
    assert list(result.not_emulated) == ["stack: aws:SourceAccount of 2 trust policies"]


def test_a_vpcs_range_becomes_a_literal() -> None:
    group = resource("AWS::EC2::SecurityGroup", CidrIp={"Fn::GetAtt": ["Vpc", "CidrBlock"]})
    result = rewritten({"Vpc": resource("AWS::EC2::VPC", CidrBlock="10.0.0.0/16"), "Group": group})
    assert result.template["Resources"]["Group"]["Properties"]["CidrIp"] == "10.0.0.0/16"


def test_bootstrap_check_is_dropped() -> None:
    result = rewritten({}, Parameters={"BootstrapVersion": {}, "Kept": {}}, Rules={"CheckBootstrapVersion": {}})
    assert result.template["Parameters"] == {"Kept": {}}
    assert "Rules" not in result.template


def test_ignored_properties_are_returned_as_amendments() -> None:
    target = {"Fn::GetAtt": ["Dead", "Arn"]}
    result = rewritten(
        {
            "Dead": resource("AWS::SQS::Queue"),
            "F": resource("AWS::Lambda::Function", DeadLetterConfig={"TargetArn": target}),
            "T": resource("AWS::DynamoDB::Table", TimeToLiveSpecification={"AttributeName": "e", "Enabled": True}),
        }
    )

    function, table = result.amendments
    assert result.template["Outputs"][function.value["TargetArn"][OUTPUT]] == {"Value": target}
    assert (table.logical_id, table.value) == ("T", {"AttributeName": "e", "Enabled": True})


def test_the_input_template_does_not_change() -> None:
    template = {"Resources": {"Queue": resource("AWS::Batch::JobQueue")}, "Rules": {}}
    rewrite("stack", template)
    assert template == {"Resources": {"Queue": resource("AWS::Batch::JobQueue")}, "Rules": {}}


def test_nat_resources_are_omitted_and_listed() -> None:
    result = rewritten(
        {
            "Address": resource("AWS::EC2::EIP"),
            "Gateway": resource("AWS::EC2::NatGateway", AllocationId={"Fn::GetAtt": ["Address", "AllocationId"]}),
            "Out": resource("AWS::EC2::Route", NatGatewayId={"Ref": "Gateway"}),
            "Subnet": {**resource("AWS::EC2::Subnet"), "DependsOn": ["Out"]},
        }
    )
    assert result.template["Resources"] == {"Subnet": resource("AWS::EC2::Subnet")}
    notes = [note.split(":")[0] for note in result.not_emulated]
    assert notes == ["stack/Address (AWS", "stack/Gateway (AWS", "stack/Out (AWS"]


def test_a_shimmed_queue_refers_to_its_scheduling_policy() -> None:
    policy = {"Fn::GetAtt": ["Order", "Arn"]}
    result = rewritten(
        {
            "Order": resource("AWS::Batch::SchedulingPolicy"),
            "Queue": resource("AWS::Batch::JobQueue", SchedulingPolicyArn=policy),
        }
    )
    arn = f"arn:aws:batch:us-east-1:000000000000:scheduling-policy/{generated_name('stack', 'Order')}"
    assert [item.properties for item in result.shimmed] == [{}, {"SchedulingPolicyArn": arn}]
