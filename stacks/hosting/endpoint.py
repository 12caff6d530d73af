"""One model behind a SageMaker endpoint: a container and the user's artifact, isolated from the network."""

from __future__ import annotations

from aws_cdk import Annotations, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3_assets as s3_assets
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from stacks.constructs.code import Image
from stacks.constructs.grants import grant
from stacks.hosting import config as configs
from stacks.hosting.health import EndpointHealth, EndpointMetrics
from stacks.hosting.inference_component import inference_component
from stacks.hosting.role import endpoint_role
from stacks.hosting.scaling import Scaling, copies_of, instances_of
from stacks.settings import ServedModel
from stacks.settings.container import OURS
from stacks.settings.sections import MonitoringSettings
from stacks.storage.stack import Storage

OPEN_NETWORK = (
    "SageMaker does not isolate serverless endpoints: the model's container can reach the internet. Endpoints on "
    "instances are isolated, also with min_instances = 0; see serverless_memory_mib in docs/settings.md"
)


class Endpoint(Construct):
    """`name` names the endpoint and, if it scales to zero, its inference component too."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        model: ServedModel,
        image: Image,
        volume_key: kms.IKey,
        storage: Storage,
        monitoring: MonitoringSettings,
    ) -> None:
        super().__init__(scope, construct_id)
        self.model = model
        self.version = model_version(model, image)
        self.endpoint_name = name
        self.component_name = name if model.serving.scales_to_zero else None
        self.metrics = EndpointMetrics(self._dimensions())
        self.health = EndpointHealth(self, "Health", name=name, metrics=self.metrics, latency_ms=monitoring.latency_ms)
        self._image, self._key, self._storage = image, volume_key, storage
        self._artifact = s3_assets.Asset(self, "Artifact", path=str(model.artifact.path)) if model.artifact else None
        self._role = endpoint_role(self, image=image, artifact=self._artifact, log_groups=self._log_groups(monitoring))
        if model.serving.serverless_memory_mib:
            self._serve_serverless(model.serving.serverless_memory_mib)
        elif model.serving.scales_to_zero:
            self._serve_with_copies()
        else:
            self._serve_on_instances()

    @property
    def alarms(self) -> list[cloudwatch.Alarm]:
        return self.health.alarms

    @property
    def endpoint_arn(self) -> str:
        return self._arn("endpoint", self.endpoint_name)

    @property
    def invoked_arns(self) -> list[str]:
        """The ARNs that a caller and the VPC endpoint's policy must be allowed to invoke."""
        component = [self._arn("inference-component", self.component_name)] if self.component_name else []
        return [self.endpoint_arn, *component]

    def grant_invoke(self, grantee: iam.IGrantable) -> None:
        grant(grantee, ["sagemaker:InvokeEndpoint"], *self.invoked_arns)

    def _serve_on_instances(self) -> None:
        serving, prefix = self.model.serving, f"capture/{self.model.name}"
        capture = configs.data_capture(serving, bucket=self._storage.bucket, key=self._storage.key, prefix=prefix)
        if capture:
            self._storage.grant_capture(self._role, self.model.name)
        # After an update, SageMaker uses this role to check the alarms that trigger a rollback to the old model.
        grant(self._role, ["cloudwatch:DescribeAlarms"], *(alarm.alarm_arn for alarm in self.health.alarms))
        model = self._model(isolated=True)
        config = configs.config_with_instances(self, serving, model=model, key=self._key, capture=capture)
        deployment_config = configs.blue_green_deployment([alarm.alarm_name for alarm in self.health.alarms])
        endpoint = self._endpoint(config, deployment_config=deployment_config)
        if serving.scales:
            endpoint.retain_all_variant_properties = True  # keep the current instance count
            self._scaling(endpoint)

    def _serve_with_copies(self) -> None:
        config = configs.config_for_copies(self, self.model.serving, role=self._role, key=self._key)
        # No deployment configuration: a rolling update would let two models answer one file (decision 0050).
        endpoint = self._endpoint(config)
        component = inference_component(
            self,
            endpoint=endpoint,
            name=self.endpoint_name,
            instance_type=self.model.serving.instance_type,
            image=self._image.uri,
            artifact_url=self._artifact.s3_object_url if self._artifact else None,
            environment=self._environment(),
        )
        endpoint.node.add_dependency(self._role.node.find_child("DefaultPolicy"))  # or the image pull fails
        self._scaling(component, refused=self.metrics.refused_at_zero)

    def _serve_serverless(self, memory_mib: int) -> None:
        model, concurrency = self._model(isolated=False), self.model.serving.serverless_concurrency
        # No deployment configuration: SageMaker has none for serverless endpoints (decision 0050).
        self._endpoint(configs.config_without_instances(self, memory_mib, concurrency, model=model, key=self._key))
        Annotations.of(self).add_warning_v2("dropscore:serverless-network", f"{self.endpoint_name}: {OPEN_NETWORK}")

    def _model(self, *, isolated: bool) -> sagemaker.CfnModel:
        model = sagemaker.CfnModel(
            self,
            "Model",
            execution_role_arn=self._role.role_arn,
            enable_network_isolation=isolated,
            primary_container=sagemaker.CfnModel.ContainerDefinitionProperty(
                image=self._image.uri,
                model_data_url=self._artifact.s3_object_url if self._artifact else None,
                environment=self._environment() or None,
            ),
        )
        model.node.add_dependency(self._role.node.find_child("DefaultPolicy"))  # or the image pull fails
        return model

    def _endpoint(
        self,
        config: sagemaker.CfnEndpointConfig,
        deployment_config: sagemaker.CfnEndpoint.DeploymentConfigProperty | None = None,
    ) -> sagemaker.CfnEndpoint:
        return sagemaker.CfnEndpoint(
            self,
            "Endpoint",
            endpoint_name=self.endpoint_name,
            endpoint_config_name=config.attr_endpoint_config_name,
            deployment_config=deployment_config,
        )

    def _scaling(self, served: Construct, refused: cloudwatch.Metric | None = None) -> None:
        name, serving = self.endpoint_name, self.model.serving
        scaling = Scaling(
            self,
            "Scaling",
            scaled=copies_of(name) if self.component_name else instances_of(name, configs.VARIANT),
            dimensions=self.metrics.dimensions,
            minimum=serving.minimum_count,
            maximum=serving.maximum_count,
            per_minute=serving.invocations_per_instance,
            refused=refused,
        )
        # The target names the endpoint or component as text, which adds no dependency.
        scaling.node.add_dependency(served)

    def _environment(self) -> dict[str, str]:
        """Pin the model file's digest: replacing the artifact in S3 then makes the container refuse to start."""
        pinned = self.model.artifact.model_sha256 if self.model.artifact else None
        return {"DROPSCORE_MODEL_SHA256": pinned} if pinned else {}

    def _log_groups(self, monitoring: MonitoringSettings) -> list[str]:
        """Create SageMaker's log groups first: SageMaker would create them without retention and without a key."""
        folders = ["Endpoints", "InferenceComponents"] if self.component_name else ["Endpoints"]
        names = {folder: f"/aws/sagemaker/{folder}/{self.endpoint_name}" for folder in folders}
        for folder, name in names.items():
            self._storage.add_log_group(f"{self.node.id}{folder}Logs", name=name, days=monitoring.log_days)
        return list(names.values())

    def _dimensions(self) -> dict[str, str]:
        if self.component_name:
            return {"InferenceComponentName": self.component_name}
        return {"EndpointName": self.endpoint_name, "VariantName": configs.VARIANT}

    def _arn(self, resource: str, name: str) -> str:
        return Stack.of(self).format_arn(service="sagemaker", resource=resource, resource_name=name)


def model_version(model: ServedModel, image: Image) -> str:
    """The version in manifests. The image is part of it, except for our container, whose releases all score alike."""
    if model.artifact is None:
        return image.version
    return model.artifact.version if model.container == OURS else f"{model.artifact.version}-{image.version}"
