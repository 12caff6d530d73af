"""One model behind a SageMaker endpoint: a container, the user's artefact, no way out to the network."""

from __future__ import annotations

import re

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3_assets as s3_assets
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from stacks.grants import grant, grant_read_asset
from stacks.review import accept_resource
from stacks.settings import ServedModel
from stacks.settings.container import OURS
from stacks.sources import ModelImage

VARIANT = "AllTraffic"
METRIC_NAMESPACES = ["/aws/sagemaker/Endpoints", "AWS/SageMaker"]
ANY_RESOURCE_REASON = (
    "ecr:GetAuthorizationToken and cloudwatch:PutMetricData know no resource; the metrics are held to SageMaker's own "
    "namespaces by a condition, and pulling is held to the one repository."
)
ENDPOINT_LOGS = "arn:<AWS::Partition>:logs:<AWS::Region>:<AWS::AccountId>:log-group:/aws/sagemaker/Endpoints/*"
ENDPOINT_LOGS_REASON = (
    "SageMaker writes to a log group named after the endpoint, whose name CloudFormation makes only after this role."
)


class Endpoint(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        model: ServedModel,
        image: ModelImage,
        volume_key: kms.IKey,
    ) -> None:
        super().__init__(scope, construct_id)
        self.model = model
        self.version = model_version(model, image)
        artefact = s3_assets.Asset(self, "Artefact", path=str(model.artefact.path)) if model.artefact else None
        role = self._role(image, artefact)
        served = sagemaker.CfnModel(
            self,
            "Model",
            execution_role_arn=role.role_arn,
            enable_network_isolation=True,
            primary_container=sagemaker.CfnModel.ContainerDefinitionProperty(
                image=image.uri, model_data_url=artefact.s3_object_url if artefact else None
            ),
        )
        served.node.add_dependency(role.node.find_child("DefaultPolicy"))  # or the first pull is refused
        endpoint = sagemaker.CfnEndpoint(
            self, "Endpoint", endpoint_config_name=self._config(served, volume_key).attr_endpoint_config_name
        )
        self.endpoint_arn = endpoint.ref
        self.endpoint_name = endpoint.attr_endpoint_name

    def grant_invoke(self, grantee: iam.IGrantable) -> None:
        grant(grantee, ["sagemaker:InvokeEndpoint"], self.endpoint_arn)

    def _config(self, served: sagemaker.CfnModel, volume_key: kms.IKey) -> sagemaker.CfnEndpointConfig:
        return sagemaker.CfnEndpointConfig(
            self,
            "Config",
            kms_key_id=None if has_local_disk(self.model.serving.instance_type) else volume_key.key_arn,
            production_variants=[
                sagemaker.CfnEndpointConfig.ProductionVariantProperty(
                    variant_name=VARIANT,
                    model_name=served.attr_model_name,
                    instance_type=self.model.serving.instance_type,
                    initial_instance_count=self.model.serving.instance_count,
                    initial_variant_weight=1,
                )
            ],
        )

    def _role(self, image: ModelImage, artefact: s3_assets.Asset | None) -> iam.Role:
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"))
        if artefact:
            grant_read_asset(role, artefact)
        image.repository.grant_pull(role)
        log_group = Stack.of(self).format_arn(
            service="logs", resource="log-group:/aws/sagemaker/Endpoints", resource_name="*"
        )
        grant(role, ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], log_group)
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["cloudwatch:PutMetricData"],
                resources=["*"],
                conditions={"StringEquals": {"cloudwatch:namespace": METRIC_NAMESPACES}},
            )
        )
        accept_resource(role, "*", ANY_RESOURCE_REASON)
        accept_resource(role, ENDPOINT_LOGS, ENDPOINT_LOGS_REASON)
        return role


def model_version(model: ServedModel, image: ModelImage) -> str:
    """What names the scores' origin: our container scores an artefact the same in every release, others may not."""
    if model.artefact is None:
        return image.version
    return model.artefact.version if model.container == OURS else f"{model.artefact.version}-{image.version}"


def has_local_disk(instance_type: str) -> bool:
    """Whether instances of this type carry their own disk.

    SageMaker refuses a key for those (their hardware encrypts them) and takes one for all others, which are on EBS.
    """
    family = instance_type.split(".")[1]
    letters = re.sub(r"^[a-z]+\d+", "", family)
    return "d" in letters or family.startswith(("g5", "g6", "p5", "p6", "i3", "i4", "trn")) or family == "g4dn"
