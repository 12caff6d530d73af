"""One model behind a SageMaker endpoint: a container, the user's artifact, no way out to the network."""

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
    "SageMaker isolates no serverless endpoint: the model's container can reach the internet. Instances, and "
    "min_instances = 0 too, are isolated; see serverless_memory_mib in docs/settings.md"
)


class Endpoint(Construct):
    """`name` is the endpoint's and, where it scales to nothing, its inference component's."""

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
        self.component_name = name if model.serving.sleeps else None
        self.metrics = EndpointMetrics(self._dimensions())
        self.health = EndpointHealth(self, "Health", name=name, metrics=self.metrics, latency_ms=monitoring.latency_ms)
        self._image, self._key, self._storage = image, volume_key, storage
        self._artifact = s3_assets.Asset(self, "Artifact", path=str(model.artifact.path)) if model.artifact else None
        self._role = endpoint_role(self, image=image, artifact=self._artifact, log_groups=self._log_groups(monitoring))
        if model.serving.serverless_memory_mib:
            self._serve_without_instances(model.serving.serverless_memory_mib)
        elif model.serving.sleeps:
            self._serve_by_copies()
        else:
            self._serve_by_instances()

    @property
    def alarms(self) -> list[cloudwatch.Alarm]:
        return self.health.alarms

    @property
    def endpoint_arn(self) -> str:
        return self._arn("endpoint", self.endpoint_name)

    @property
    def invoked_arns(self) -> list[str]:
        """What a caller must be allowed to invoke, and a VPC endpoint to let through."""
        component = [self._arn("inference-component", self.component_name)] if self.component_name else []
        return [self.endpoint_arn, *component]

    def grant_invoke(self, grantee: iam.IGrantable) -> None:
        grant(grantee, ["sagemaker:InvokeEndpoint"], *self.invoked_arns)

    def _serve_by_instances(self) -> None:
        serving, prefix = self.model.serving, f"capture/{self.model.name}"
        capture = configs.data_capture(serving, bucket=self._storage.bucket, key=self._storage.key, prefix=prefix)
        if capture:
            self._storage.grant_capture(self._role, self.model.name)
        # By this role SageMaker looks, while the old model stands by, whether an alarm asks for it back.
        grant(self._role, ["cloudwatch:DescribeAlarms"], *(alarm.alarm_arn for alarm in self.health.alarms))
        model = self._model(isolated=True)
        config = configs.config_with_instances(self, serving, model=model, key=self._key, capture=capture)
        or_back = configs.all_at_once_or_back([alarm.alarm_name for alarm in self.health.alarms])
        endpoint = self._endpoint(config, deployment_config=or_back)
        if serving.scales:
            endpoint.retain_all_variant_properties = True  # a new model starts on as many instances as the old one has
            self._scaling(endpoint)

    def _serve_by_copies(self) -> None:
        config = configs.config_for_copies(self, self.model.serving, role=self._role, key=self._key)
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
        endpoint.node.add_dependency(self._role.node.find_child("DefaultPolicy"))  # or the first pull is refused
        self._scaling(component, refused=self.metrics.refused_asleep)

    def _serve_without_instances(self, memory_mib: int) -> None:
        model, concurrency = self._model(isolated=False), self.model.serving.serverless_concurrency
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
        model.node.add_dependency(self._role.node.find_child("DefaultPolicy"))  # or the first pull is refused
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
            fewest=serving.fewest,
            most=serving.most,
            per_minute=serving.invocations_per_instance,
            refused=refused,
        )
        scaling.node.add_dependency(served)

    def _environment(self) -> dict[str, str]:
        """The pin: what the model file must be, by a digest that whoever replaces the file cannot replace with it."""
        pinned = self.model.artifact.model_sha256 if self.model.artifact else None
        return {"DROPSCORE_MODEL_SHA256": pinned} if pinned else {}

    def _log_groups(self, monitoring: MonitoringSettings) -> list[str]:
        """SageMaker makes them by these names where they are not there, without an end and without a key."""
        kinds = ["Endpoints", "InferenceComponents"] if self.component_name else ["Endpoints"]
        names = {kind: f"/aws/sagemaker/{kind}/{self.endpoint_name}" for kind in kinds}
        for kind, name in names.items():
            self._storage.keep_log(f"{self.node.id}{kind}Logs", name=name, days=monitoring.log_days)
        return list(names.values())

    def _dimensions(self) -> dict[str, str]:
        if self.component_name:
            return {"InferenceComponentName": self.component_name}
        return {"EndpointName": self.endpoint_name, "VariantName": configs.VARIANT}

    def _arn(self, resource: str, name: str) -> str:
        return Stack.of(self).format_arn(service="sagemaker", resource=resource, resource_name=name)


def model_version(model: ServedModel, image: Image) -> str:
    """What names the scores' origin: our container scores an artifact the same in every release, others may not."""
    if model.artifact is None:
        return image.version
    return model.artifact.version if model.container == OURS else f"{model.artifact.version}-{image.version}"
