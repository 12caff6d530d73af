"""The three ways to serve a model: instances, copies that scale to zero, and a serverless endpoint."""

from __future__ import annotations

from typing import Any

import pytest

from dropscore.settings import WorkerSettings
from stacks.hosting.stack import type_code
from tests.stacks.building import MODEL_SHA256, Json, Templates, listed, only, properties, rendered, statements
from tests.stacks.conftest import Build

SLEEPING = {"models.fraud.min_instances": 0, "models.fraud.max_instances": 3, "models.fraud.instance_count": 2}
SERVERLESS = {
    **dict.fromkeys([f"models.fraud.{key}" for key in ("instance_type", "instance_count", "max_payload_bytes")]),
    "models.fraud.serverless_memory_mib": 3072,
    "models.fraud.serverless_concurrency": 7,
}
GROWING = {"models.fraud.max_instances": 4, "models.fraud.invocations_per_instance": 90}
CAPTURING = {"models.fraud.capture_percent": 5}
NAME = "dropscore-dev-fraud"
COPIES = f"{NAME}-0{type_code('ml.m5.large')}"
GROWN = f"{NAME}-2{type_code('ml.m5.large')}"
CONFIG = "AWS::SageMaker::EndpointConfig"
POLICY = "AWS::ApplicationAutoScaling::ScalingPolicy"
TARGET = "AWS::ApplicationAutoScaling::ScalableTarget"
ALARM = "AWS::CloudWatch::Alarm"


def variant(templates: Templates) -> Json:
    (found,) = only(templates.hosting, CONFIG)["ProductionVariants"]
    return dict(found)


# Instances


def test_a_new_model_takes_over_at_one_moment_and_the_old_one_stands_by(templates: Templates) -> None:
    """With split traffic two models could answer one file, which fails the job."""
    update = only(templates.hosting, "AWS::SageMaker::Endpoint")["DeploymentConfig"]["BlueGreenUpdatePolicy"]
    assert update["TrafficRoutingConfiguration"]["Type"] == "ALL_AT_ONCE"
    assert update["TerminationWaitInSeconds"] == 600


def test_errors_or_slowness_bring_the_old_model_back(templates: Templates) -> None:
    deployment = only(templates.hosting, "AWS::SageMaker::Endpoint")["DeploymentConfig"]
    named = {alarm["AlarmName"]["Ref"] for alarm in deployment["AutoRollbackConfiguration"]["Alarms"]}
    assert named == set(properties(templates.hosting, ALARM))
    assert len(named) == 2


def test_the_alarms_watch_this_endpoint_and_sleep_without_traffic(build_template: Build) -> None:
    hosting = build_template({"monitoring.latency_ms": 2500}).hosting
    latency, errors = only(hosting, ALARM, "Latency"), only(hosting, ALARM, "Errors")
    here = [{"Name": "EndpointName", "Value": NAME}, {"Name": "VariantName", "Value": "AllTraffic"}]
    assert (latency["MetricName"], latency["ExtendedStatistic"], latency["Threshold"]) == (
        "ModelLatency",
        "p90",
        2_500_000,  # SageMaker reports microseconds
    )
    parts = {each["Id"]: each["MetricStat"]["Metric"] for each in errors["Metrics"] if "MetricStat" in each}
    assert {name: part["MetricName"] for name, part in parts.items()} == {
        "errors": "Invocation5XXErrors",
        "invocations": "Invocations",
    }
    assert latency["Dimensions"] == parts["errors"]["Dimensions"] == parts["invocations"]["Dimensions"] == here
    for alarm in (latency, errors):
        assert alarm["TreatMissingData"] == "notBreaching"
        assert (alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"]) == (2, 5)
        assert "docs/monitoring.md" in alarm["AlarmDescription"]


def test_a_fixed_number_of_instances_is_not_scaled(templates: Templates) -> None:
    assert properties(templates.hosting, TARGET) == {}
    assert "RetainAllVariantProperties" not in only(templates.hosting, "AWS::SageMaker::Endpoint")


def test_instances_follow_the_requests_out_at_once_and_in_slowly(build_template: Build) -> None:
    hosting = build_template(GROWING).hosting
    target = only(hosting, TARGET)
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 4)
    assert target["ResourceId"] == f"endpoint/{GROWN}/variant/AllTraffic"
    assert target["ScalableDimension"] == "sagemaker:variant:DesiredInstanceCount"
    assert "RoleARN" not in target  # the service-linked one
    follow = only(hosting, POLICY, "ByRequests")["TargetTrackingScalingPolicyConfiguration"]
    metric = follow["PredefinedMetricSpecification"]["PredefinedMetricType"]
    assert (metric, follow["TargetValue"]) == ("SageMakerVariantInvocationsPerInstance", 90)


def quiet_alarm(hosting: Json) -> tuple[Json, dict[str, Any]]:
    """The alarm that scales in, with its metrics and expression by id."""
    alarm = only(hosting, ALARM, "Quiet")
    return alarm, {each["Id"]: each.get("Expression") or each["MetricStat"]["Metric"] for each in alarm["Metrics"]}


@pytest.mark.parametrize("overrides", [GROWING, SLEEPING])
def test_an_endpoint_without_requests_scales_in(build_template: Build, overrides: dict[str, object]) -> None:
    """SageMaker emits no zeros, and target tracking ignores missing data."""
    hosting = build_template(overrides).hosting
    alarm, _ = quiet_alarm(hosting)
    assert (alarm["TreatMissingData"], alarm["ComparisonOperator"]) == ("breaching", "LessThanThreshold")
    (fewer,) = [name for name in properties(hosting, POLICY) if "Fewer" in name]
    assert alarm["AlarmActions"] == [{"Ref": fewer}]
    step = only(hosting, POLICY, "Fewer")["StepScalingPolicyConfiguration"]
    assert (step["AdjustmentType"], step["MinAdjustmentMagnitude"]) == ("PercentChangeInCapacity", 1)
    assert step["StepAdjustments"] == [{"MetricIntervalUpperBound": 0, "ScalingAdjustment": -50}]
    assert only(hosting, POLICY, "ByRequests")["TargetTrackingScalingPolicyConfiguration"]["DisableScaleIn"] is True


def test_half_of_the_instances_can_answer_what_a_quiet_minute_brings(build_template: Build) -> None:
    alarm, parts = quiet_alarm(build_template(GROWING).hosting)
    assert alarm["Threshold"] * 2 <= 90
    assert (alarm["EvaluationPeriods"], alarm["DatapointsToAlarm"]) == (15, 15)
    assert parts["quiet"] == "FILL(requests, 0)"
    assert parts["requests"]["MetricName"] == "InvocationsPerInstance"
    assert {each["Name"] for each in parts["requests"]["Dimensions"]} == {"EndpointName", "VariantName"}


def test_a_copy_that_was_just_woken_is_not_taken_away(build_template: Build) -> None:
    alarm, parts = quiet_alarm(build_template(SLEEPING).hosting)
    assert parts["requests"]["MetricName"] == "InvocationsPerCopy"
    assert parts["refused"]["MetricName"] == "NoCapacityInvocationFailures"
    assert parts["quiet"] == f"FILL(requests, 0) + {alarm['Threshold']:g} * FILL(refused, 0)"


def test_a_scaled_endpoint_keeps_its_instances_when_its_model_is_replaced(build_template: Build) -> None:
    hosting = build_template(GROWING).hosting
    assert only(hosting, "AWS::SageMaker::Endpoint")["RetainAllVariantProperties"] is True


def test_scaling_begins_when_the_endpoint_is_there(build_template: Build) -> None:
    hosting = build_template(GROWING).hosting
    (endpoint,) = properties(hosting, "AWS::SageMaker::Endpoint")
    (target,) = [each for each in hosting["Resources"].values() if each["Type"] == TARGET]
    assert target["DependsOn"] == [endpoint]


@pytest.mark.parametrize("overrides", [{}, SLEEPING])
def test_a_request_goes_to_the_idlest_instance(build_template: Build, overrides: dict[str, object]) -> None:
    routing = variant(build_template(overrides))["RoutingConfig"]
    assert routing == {"RoutingStrategy": "LEAST_OUTSTANDING_REQUESTS"}


# Data capture


def test_captured_requests_go_under_the_models_prefix_encrypted(build_template: Build) -> None:
    capture = only(build_template(CAPTURING).hosting, CONFIG)["DataCaptureConfig"]
    assert rendered(capture["DestinationS3Uri"]).endswith("/capture/fraud")
    assert "ExportsOutputFnGetAttKey" in rendered(capture["KmsKeyId"])
    assert capture["InitialSamplingPercentage"] == 5
    assert [each["CaptureMode"] for each in capture["CaptureOptions"]] == ["Input", "Output"]
    assert capture["CaptureContentTypeHeader"] == {
        "CsvContentTypes": ["text/csv"],
        "JsonContentTypes": ["application/json"],
    }


def test_the_model_may_write_captured_requests_and_read_none(build_template: Build) -> None:
    allowed = statements(build_template(CAPTURING).hosting, "FraudRole")
    on_the_bucket = [each for each in allowed if "Bucket" in str(each["Resource"])]
    assert [each["Action"] for each in on_the_bucket] == ["s3:PutObject"]
    assert rendered(on_the_bucket[0]["Resource"]).endswith("/capture/fraud/*")
    (keys,) = [each for each in allowed if "kms:" in str(each["Action"])]
    assert set(listed(keys["Action"])) == {"kms:Decrypt", "kms:GenerateDataKey"}


def test_nothing_is_captured_unless_it_is_asked_for(templates: Templates) -> None:
    assert "DataCaptureConfig" not in only(templates.hosting, CONFIG)
    assert "capture" not in str(statements(templates.hosting, "FraudRole"))
    assert "kms:" not in str(statements(templates.hosting, "FraudRole"))


# Copies


def test_a_sleeping_endpoint_has_instances_down_to_none_and_is_isolated_as_a_whole(build_template: Build) -> None:
    templates = build_template(SLEEPING)
    config = only(templates.hosting, CONFIG)
    assert config["EnableNetworkIsolation"] is True
    assert "FraudRole" in rendered(config["ExecutionRoleArn"])
    assert "KmsKeyId" in config
    assert variant(templates)["ManagedInstanceScaling"] == {
        "Status": "ENABLED",
        "MinInstanceCount": 0,
        "MaxInstanceCount": 3,
    }
    assert variant(templates)["InitialInstanceCount"] == 2
    assert "ModelName" not in variant(templates)
    assert properties(templates.hosting, "AWS::SageMaker::Model") == {}


def test_its_component_holds_image_artifact_and_pin_and_starts_with_a_copy(build_template: Build) -> None:
    templates = build_template(SLEEPING)
    component = only(templates.hosting, "AWS::SageMaker::InferenceComponent")
    held = only(build_template({}).hosting, "AWS::SageMaker::Model")["PrimaryContainer"]
    assert component["Specification"]["Container"] == {
        "Image": held["Image"],
        "ArtifactUrl": held["ModelDataUrl"],
        "Environment": {"DROPSCORE_MODEL_SHA256": MODEL_SHA256},
    }
    assert component["RuntimeConfig"] == {"CopyCount": 1}
    assert component["VariantName"] == variant(templates)["VariantName"]


def test_a_copy_asks_for_more_than_half_of_an_instance(build_template: Build) -> None:
    component = only(build_template(SLEEPING).hosting, "AWS::SageMaker::InferenceComponent")
    assert component["Specification"]["ComputeResourceRequirements"] == {
        "NumberOfCpuCoresRequired": 1.5,
        "MinMemoryRequiredInMb": 4096,
    }


def test_a_copy_takes_the_gpu_and_its_disk_takes_no_key(build_template: Build) -> None:
    hosting = build_template({**SLEEPING, "models.fraud.instance_type": "ml.g5.xlarge"}).hosting
    component = only(hosting, "AWS::SageMaker::InferenceComponent")
    assert component["Specification"]["ComputeResourceRequirements"]["NumberOfAcceleratorDevicesRequired"] == 1
    assert "KmsKeyId" not in only(hosting, CONFIG)


def test_the_endpoint_of_copies_waits_for_its_permissions(build_template: Build) -> None:
    hosting = build_template(SLEEPING).hosting
    (endpoint,) = [each for each in hosting["Resources"].values() if each["Type"] == "AWS::SageMaker::Endpoint"]
    assert endpoint["DependsOn"] == [
        name for name in properties(hosting, "AWS::IAM::Policy") if name.startswith("FraudRole")
    ]
    assert "DeploymentConfig" not in endpoint["Properties"]


def test_copies_follow_the_requests_down_to_none(build_template: Build) -> None:
    hosting = build_template(SLEEPING).hosting
    target = only(hosting, TARGET)
    assert (target["MinCapacity"], target["MaxCapacity"]) == (0, 3)
    assert target["ResourceId"] == f"inference-component/{COPIES}"
    assert target["ScalableDimension"] == "sagemaker:inference-component:DesiredCopyCount"
    follow = only(hosting, POLICY, "ByRequests")["TargetTrackingScalingPolicyConfiguration"]
    metric = follow["PredefinedMetricSpecification"]["PredefinedMetricType"]
    assert metric == "SageMakerInferenceComponentInvocationsPerCopy"


def test_a_request_that_finds_no_copy_wakes_exactly_one(build_template: Build) -> None:
    hosting = build_template(SLEEPING).hosting
    step = only(hosting, POLICY, "Wake")["StepScalingPolicyConfiguration"]
    assert step["AdjustmentType"] == "ExactCapacity"
    assert step["StepAdjustments"] == [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}]
    alarm = only(hosting, ALARM, "Refused")
    (wake,) = [name for name in properties(hosting, POLICY) if "Wake" in name]
    assert alarm["AlarmActions"] == [{"Ref": wake}]
    assert (alarm["MetricName"], alarm["Threshold"]) == ("NoCapacityInvocationFailures", 1)
    assert alarm["Dimensions"] == [{"Name": "InferenceComponentName", "Value": COPIES}]


def test_the_worker_knows_the_component_and_may_invoke_both(build_template: Build) -> None:
    templates = build_template(SLEEPING)
    assert models(templates)["fraud"].component == COPIES
    assert {resource.rpartition(":")[2] for resource in invoked(templates)} == {
        f"endpoint/{COPIES}",
        f"inference-component/{COPIES}",
    }


def test_without_a_component_there_is_nothing_to_know(templates: Templates) -> None:
    assert models(templates)["fraud"].component is None
    assert {resource.rpartition(":")[2] for resource in invoked(templates)} == {f"endpoint/{NAME}"}


def test_copies_log_under_their_components_name(build_template: Build) -> None:
    templates = build_template(SLEEPING)
    names = {f"/aws/sagemaker/Endpoints/{COPIES}", f"/aws/sagemaker/InferenceComponents/{COPIES}"}
    assert {group["LogGroupName"] for group in properties(templates.storage, "AWS::Logs::LogGroup").values()} == names
    allowed = statements(templates.hosting, "FraudRole")
    (logs,) = [each for each in allowed if "logs:PutLogEvents" in listed(each["Action"])]
    written = {rendered(resource).partition(":log-group:")[2] for resource in logs["Resource"]}
    assert written == {f"{name}:*" for name in names}


# Serverless


def test_a_serverless_endpoint_has_memory_and_concurrency_and_no_instances(build_template: Build) -> None:
    templates = build_template(SERVERLESS)
    assert variant(templates)["ServerlessConfig"] == {"MaxConcurrency": 7, "MemorySizeInMB": 3072}
    assert {"InstanceType", "InitialInstanceCount", "ManagedInstanceScaling", "RoutingConfig"}.isdisjoint(
        variant(templates)
    )
    assert "KmsKeyId" in only(templates.hosting, CONFIG)
    assert properties(templates.hosting, TARGET) == {}
    assert "DeploymentConfig" not in only(templates.hosting, "AWS::SageMaker::Endpoint")


def test_a_serverless_model_is_not_isolated_because_it_cannot_be_and_synth_says_so(build_template: Build) -> None:
    templates = build_template(SERVERLESS)
    assert only(templates.hosting, "AWS::SageMaker::Model")["EnableNetworkIsolation"] is False
    assert "SageMaker does not isolate serverless endpoints" in warnings(templates)


@pytest.mark.parametrize("overrides", [{}, GROWING, SLEEPING])
def test_everything_else_is_isolated_and_says_nothing(build_template: Build, overrides: dict[str, object]) -> None:
    templates = build_template(overrides)
    held = properties(templates.hosting, "AWS::SageMaker::Model") or properties(templates.hosting, CONFIG)
    assert [each["EnableNetworkIsolation"] for each in held.values()] == [True]
    assert "SageMaker does not isolate" not in warnings(templates)


def test_a_serverless_models_bodies_are_smaller(build_template: Build) -> None:
    assert models(build_template(SERVERLESS))["fraud"].max_payload_bytes == 4_000_000


def warnings(templates: Templates) -> str:
    return "".join(file.read_text() for file in templates.outdir.glob("*.metadata.json"))


def models(templates: Templates) -> Any:
    container = only(templates.scoring, "AWS::Batch::JobDefinition")["ContainerProperties"]
    environment = {each["Name"]: rendered(each["Value"]) for each in container["Environment"]}
    return WorkerSettings.from_env({**environment, "AWS_BATCH_JOB_ID": "job", "AWS_BATCH_JOB_ATTEMPT": "1"}).models


def invoked(templates: Templates) -> list[str]:
    allowed = statements(templates.scoring, "WorkerRole")
    (invoke,) = [each for each in allowed if "sagemaker:InvokeEndpoint" in listed(each["Action"])]
    return [rendered(resource) for resource in listed(invoke["Resource"])]
