"""Endpoint configurations: instances that hold the model, instances for copies of it, or serverless."""

from __future__ import annotations

import re
from collections.abc import Sequence

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from stacks.constructs.findings import accept
from stacks.settings.models import ModelSettings

# The metrics' dimensions and the scaling target contain this name too.
VARIANT = "AllTraffic"
BAKE_SECONDS = 600
UPDATE_SECONDS = 3600
ENCRYPTED_BY_HARDWARE = (
    "Instances of this type have a local disk, which their hardware encrypts with a key that exists as long as the "
    "instance; SageMaker rejects a KMS key for it."
)
_Config = sagemaker.CfnEndpointConfig


def config_with_instances(
    scope: Construct,
    serving: ModelSettings,
    *,
    model: sagemaker.CfnModel,
    key: kms.IKey,
    capture: sagemaker.CfnEndpointConfig.DataCaptureConfigProperty | None,
) -> sagemaker.CfnEndpointConfig:
    variant = _Config.ProductionVariantProperty(
        variant_name=VARIANT,
        model_name=model.attr_model_name,
        instance_type=serving.instance_type,
        initial_instance_count=serving.instance_count,
        initial_variant_weight=1,
        routing_config=_route_to_least_busy(),
    )
    config = _Config(
        scope,
        "Config",
        kms_key_id=_volume_key(serving, key),
        production_variants=[variant],
        data_capture_config=capture,
    )
    return _accept_missing_key(config)


def config_for_copies(
    scope: Construct, serving: ModelSettings, *, role: iam.IRole, key: kms.IKey
) -> sagemaker.CfnEndpointConfig:
    """Instances scale with the copies of the model. The whole endpoint is isolated, as it has no model of its own."""
    variant = _Config.ProductionVariantProperty(
        variant_name=VARIANT,
        instance_type=serving.instance_type,
        initial_instance_count=serving.instance_count,
        # SageMaker starts and stops instances as the copies need them; our scaling changes only the copies.
        managed_instance_scaling=_Config.ManagedInstanceScalingProperty(
            status="ENABLED", min_instance_count=serving.minimum_count, max_instance_count=serving.maximum_count
        ),
        routing_config=_route_to_least_busy(),
    )
    config = _Config(
        scope,
        "Config",
        enable_network_isolation=True,
        execution_role_arn=role.role_arn,
        kms_key_id=_volume_key(serving, key),
        production_variants=[variant],
    )
    return _accept_missing_key(config)


def config_without_instances(
    scope: Construct, memory_mib: int, concurrency: int, *, model: sagemaker.CfnModel, key: kms.IKey
) -> sagemaker.CfnEndpointConfig:
    variant = _Config.ProductionVariantProperty(
        variant_name=VARIANT,
        model_name=model.attr_model_name,
        initial_variant_weight=1,
        serverless_config=_Config.ServerlessConfigProperty(memory_size_in_mb=memory_mib, max_concurrency=concurrency),
    )
    return _Config(scope, "Config", kms_key_id=key.key_arn, production_variants=[variant])


def blue_green_deployment(alarm_names: Sequence[str]) -> sagemaker.CfnEndpoint.DeploymentConfigProperty:
    """Move all requests to a new fleet at once; keep the old fleet for 10 minutes, to roll back on an alarm.

    With a canary, two models would score the requests of one input, which makes the job fail.
    """
    endpoint = sagemaker.CfnEndpoint
    return endpoint.DeploymentConfigProperty(
        blue_green_update_policy=endpoint.BlueGreenUpdatePolicyProperty(
            # The API requires an interval, although only traffic that shifts in steps waits for it.
            traffic_routing_configuration=endpoint.TrafficRoutingConfigProperty(
                type="ALL_AT_ONCE", wait_interval_in_seconds=0
            ),
            termination_wait_in_seconds=BAKE_SECONDS,
            maximum_execution_timeout_in_seconds=UPDATE_SECONDS,
        ),
        auto_rollback_configuration=endpoint.AutoRollbackConfigProperty(
            alarms=[endpoint.AlarmProperty(alarm_name=name) for name in alarm_names]
        ),
    )


def data_capture(
    serving: ModelSettings, *, bucket: s3.IBucket, key: kms.IKey, prefix: str
) -> sagemaker.CfnEndpointConfig.DataCaptureConfigProperty | None:
    """Capture requests and replies, which contain customers' rows, into the bucket that holds the inputs."""
    if not serving.capture_percent:
        return None
    return _Config.DataCaptureConfigProperty(
        enable_capture=True,
        initial_sampling_percentage=serving.capture_percent,
        destination_s3_uri=bucket.s3_url_for_object(prefix),
        kms_key_id=key.key_arn,
        capture_options=[_Config.CaptureOptionProperty(capture_mode=mode) for mode in ("Input", "Output")],
        capture_content_type_header=_Config.CaptureContentTypeHeaderProperty(
            csv_content_types=["text/csv"], json_content_types=["application/json"]
        ),
    )


def has_local_disk(instance_type: str) -> bool:
    """Whether instances of this type have a local disk.

    SageMaker rejects a KMS key for these, whose hardware encrypts the disk, and accepts one for all others, which
    use EBS.
    """
    family = instance_type.split(".")[1]
    attributes = re.sub(r"^[a-z]+\d+", "", family)
    # The families in the list have local disks although their names lack the `d`.
    return "d" in attributes or family.startswith(("g5", "g6", "p5", "p6", "i3", "i4", "trn")) or family == "g4dn"


def _volume_key(serving: ModelSettings, key: kms.IKey) -> str | None:
    return None if has_local_disk(serving.instance_type) else key.key_arn


def _accept_missing_key(config: sagemaker.CfnEndpointConfig) -> sagemaker.CfnEndpointConfig:
    if config.kms_key_id is None:
        accept(config, "NIST.800.53.R5-SageMakerEndpointConfigurationKMSKeyConfigured", ENCRYPTED_BY_HARDWARE)
    return config


def _route_to_least_busy() -> sagemaker.CfnEndpointConfig.RoutingConfigProperty:
    """A request occupies an instance for seconds. Random routing, the default, would overload some and idle others."""
    return _Config.RoutingConfigProperty(routing_strategy="LEAST_OUTSTANDING_REQUESTS")
