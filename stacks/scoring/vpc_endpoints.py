"""The doors of the workers' network: VPC endpoints, each with a policy that lets through what the workers do."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Aws, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from schema.keys import INPUT

GATEWAYS = {
    "S3": ec2.GatewayVpcEndpointAwsService.S3,
    "DynamoDb": ec2.GatewayVpcEndpointAwsService.DYNAMODB,
}
"""They cost nothing, and what goes through them goes through no NAT gateway."""
ALWAYS = {
    "EcrApi": ec2.InterfaceVpcEndpointAwsService.ECR,
    "EcrDocker": ec2.InterfaceVpcEndpointAwsService.ECR_DOCKER,
    "Logs": ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
    "SageMakerRuntime": ec2.InterfaceVpcEndpointAwsService.SAGEMAKER_RUNTIME,
}
OF_INSTANCES = {
    "Ecs": ec2.InterfaceVpcEndpointAwsService.ECS,
    "EcsAgent": ec2.InterfaceVpcEndpointAwsService.ECS_AGENT,
    "EcsTelemetry": ec2.InterfaceVpcEndpointAwsService.ECS_TELEMETRY,
}
"""By these the ECS agent of an instance is told what to run. Fargate's own machines need no door of ours."""
PULL = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]


class Doors:
    def __init__(
        self,
        scope: Construct,
        *,
        vpc: ec2.Vpc,
        subnets: Sequence[ec2.ISubnet],
        services: Sequence[str],
        visitors: ec2.SecurityGroup,
    ) -> None:
        self._stack = Stack.of(scope)
        private = ec2.SubnetSelection(subnets=subnets)
        self._doors: dict[str, ec2.GatewayVpcEndpoint | ec2.InterfaceVpcEndpoint] = {
            name: vpc.add_gateway_endpoint(name, service=service, subnets=[private])
            for name, service in GATEWAYS.items()
        }
        if services:
            group = _security_group(scope, vpc, visitors)
            for name in services:
                self._doors[name] = vpc.add_interface_endpoint(
                    name, service=(ALWAYS | OF_INSTANCES)[name], security_groups=[group], subnets=private, open=False
                )

    @staticmethod
    def needed_by(compute: str) -> list[str]:
        """The interface endpoints without which workers on `compute` cannot do their work."""
        return [*ALWAYS, *OF_INSTANCES] if compute == "ec2" else [*ALWAYS]

    def let_score(
        self, *, bucket: s3.IBucket, jobs: dynamodb.ITable, models: Sequence[str], names: Sequence[str]
    ) -> None:
        """Let workers read files, write scores, move jobs on and ask the endpoints whose ARNs are in `models`.

        `names` are the ARNs of the objects that name the models' features.
        """
        written = [bucket.arn_for_objects(f"{prefix}/*") for prefix in ("parts", "output")]
        self._let("S3", ["s3:GetObjectVersion"], [bucket.arn_for_objects(f"{INPUT}*")])
        self._let("S3", ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"], written)
        if names:
            self._let("S3", ["s3:GetObject"], names)
        self._let("S3", ["s3:ListBucket"], [bucket.bucket_arn])
        self._let("DynamoDb", ["dynamodb:GetItem", "dynamodb:UpdateItem"], [jobs.table_arn])
        self._let("SageMakerRuntime", ["sagemaker:InvokeEndpoint"], models)

    def let_start(self, *, repository: ecr.IRepository, log_group: logs.ILogGroup) -> None:
        """Let workers be started: the image pulled from `repository`, the log written to `log_group`."""
        for name in ("EcrApi", "EcrDocker"):
            self._let(name, ["ecr:GetAuthorizationToken"], ["*"])
            self._let(name, PULL, [repository.repository_arn])
        layers = f"arn:{Aws.PARTITION}:s3:::prod-{Aws.REGION}-starport-layer-bucket/*"
        # ECR hands out links that it has signed itself: no principal of this account asks for them.
        self._let("S3", ["s3:GetObject"], [layers], only_ours=False)
        self._let("Logs", ["logs:CreateLogStream", "logs:PutLogEvents"], [log_group.log_group_arn])

    def let_register(self, actions: Sequence[str], resources: Sequence[str]) -> None:
        """Let instances join their cluster. The doors of ECS's agent and telemetry take no policy (decision 0018)."""
        self._let("Ecs", actions, resources)

    def _let(self, name: str, actions: Sequence[str], resources: Sequence[str], *, only_ours: bool = True) -> None:
        if name not in self._doors:  # the way out by NAT has no such door
            return
        condition = {"StringEquals": {"aws:PrincipalAccount": self._stack.account}}
        self._doors[name].add_to_policy(
            iam.PolicyStatement(
                principals=[iam.StarPrincipal()],
                actions=list(actions),
                resources=list(resources),
                conditions=condition if only_ours else {},
            )
        )


def _security_group(scope: Construct, vpc: ec2.Vpc, visitors: ec2.SecurityGroup) -> ec2.SecurityGroup:
    group = ec2.SecurityGroup(scope, "Doors", vpc=vpc, description="HTTPS from the workers", allow_all_outbound=False)
    workers = ec2.Peer.security_group_id(visitors.security_group_id)
    group.add_ingress_rule(workers, ec2.Port.tcp(443), "HTTPS from the workers")
    return group
