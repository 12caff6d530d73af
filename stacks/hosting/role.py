"""The role under which SageMaker starts a model: it pulls the image, reads the artifact, writes logs, and no more."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3_assets as s3_assets
from constructs import Construct

from stacks.constructs.code import Image
from stacks.constructs.findings import accept_resource
from stacks.constructs.grants import WRITE_LOG, grant_read_asset, grant_write_log, service_principal

METRIC_NAMESPACES = ["/aws/sagemaker/Endpoints", "/aws/sagemaker/InferenceComponents", "AWS/SageMaker"]
ANY_RESOURCE_REASON = (
    "ecr:GetAuthorizationToken and cloudwatch:PutMetricData know no resource; the metrics are held to SageMaker's own "
    "namespaces by a condition, and pulling is held to the one repository."
)


def endpoint_role(
    scope: Construct, *, image: Image, artifact: s3_assets.Asset | None, log_groups: Sequence[str]
) -> iam.Role:
    role = iam.Role(scope, "Role", assumed_by=service_principal("sagemaker.amazonaws.com"))
    if artifact:
        grant_read_asset(role, artifact)
    image.repository.grant_pull(role)
    for name in log_groups:
        grant_write_log(role, name, ["logs:CreateLogGroup", *WRITE_LOG])
    role.add_to_policy(
        iam.PolicyStatement(
            actions=["cloudwatch:PutMetricData"],
            resources=["*"],
            conditions={"StringEquals": {"cloudwatch:namespace": METRIC_NAMESPACES}},
        )
    )
    accept_resource(role, "*", ANY_RESOURCE_REASON)
    return role
