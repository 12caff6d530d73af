"""A model as copies on an endpoint's instances; both scale, down to zero."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from stacks.hosting.config import VARIANT
from stacks.settings.instances import share_of

_Component = sagemaker.CfnInferenceComponent


def inference_component(
    scope: Construct,
    *,
    endpoint: sagemaker.CfnEndpoint,
    name: str,
    instance_type: str,
    image: str,
    artifact_url: str | None,
    environment: Mapping[str, str],
) -> sagemaker.CfnInferenceComponent:
    """Start with one copy, so that a broken model fails the deployment; the copy is removed when it is idle."""
    share = share_of(instance_type)
    return _Component(
        scope,
        "Component",
        inference_component_name=name,
        endpoint_name=endpoint.attr_endpoint_name,
        variant_name=VARIANT,
        specification=_Component.InferenceComponentSpecificationProperty(
            container=_Component.InferenceComponentContainerSpecificationProperty(
                image=image, artifact_url=artifact_url, environment=environment or None
            ),
            compute_resource_requirements=_Component.InferenceComponentComputeResourceRequirementsProperty(
                number_of_cpu_cores_required=share.vcpus,
                min_memory_required_in_mb=share.memory_mib,
                number_of_accelerator_devices_required=share.gpus or None,
            ),
        ),
        runtime_config=_Component.InferenceComponentRuntimeConfigProperty(copy_count=1),
    )
