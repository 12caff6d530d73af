"""The role with which SageMaker runs a model: it may pull the image, read the artifact, and write logs and metrics."""

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
    "ecr:GetAuthorizationToken and cloudwatch:PutMetricData do not support resource ARNs; a condition limits the "
    "metrics to SageMaker's namespaces, and pulling is limited to one repository."
)


def endpoint_role(
    scope: Construct, *, image: Image, artifact: s3_assets.Asset | None, log_groups: Sequence[str]
) -> iam.Role:
    role = iam.Role(scope, "Role", assumed_by=service_principal("sagemaker.amazonaws.com"))
    if artifact:
        grant_read_asset(role, artifact)
    image.repository.grant_pull(role)
    # SageMaker expects `CreateLogGroup`, although Storage has created the groups (decision 0023).
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
