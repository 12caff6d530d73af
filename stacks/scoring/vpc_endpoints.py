"""The VPC endpoints of the workers' network; their policies allow only what the workers do."""

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
"""They are free, and their traffic does not pass through a NAT gateway."""
WORKER_SERVICES = {
    "EcrApi": ec2.InterfaceVpcEndpointAwsService.ECR,
    "EcrDocker": ec2.InterfaceVpcEndpointAwsService.ECR_DOCKER,
    "Logs": ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
    "SageMakerRuntime": ec2.InterfaceVpcEndpointAwsService.SAGEMAKER_RUNTIME,
}
INSTANCE_SERVICES = {
    "Ecs": ec2.InterfaceVpcEndpointAwsService.ECS,
    "EcsAgent": ec2.InterfaceVpcEndpointAwsService.ECS_AGENT,
    "EcsTelemetry": ec2.InterfaceVpcEndpointAwsService.ECS_TELEMETRY,
}
"""The ECS agent of an instance uses them to receive tasks. Fargate does not need them."""
PULL = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]


class VpcEndpoints:
    def __init__(
        self,
        scope: Construct,
        *,
        vpc: ec2.Vpc,
        subnets: Sequence[ec2.ISubnet],
        services: Sequence[str],
        workers: ec2.SecurityGroup,
    ) -> None:
        self._stack = Stack.of(scope)
        private = ec2.SubnetSelection(subnets=subnets)
        self._endpoints: dict[str, ec2.GatewayVpcEndpoint | ec2.InterfaceVpcEndpoint] = {
            name: vpc.add_gateway_endpoint(name, service=service, subnets=[private])
            for name, service in GATEWAYS.items()
        }
        if services:
            group = _security_group(scope, vpc, workers)
            for name in services:
                self._endpoints[name] = vpc.add_interface_endpoint(
                    name,
                    service=(WORKER_SERVICES | INSTANCE_SERVICES)[name],
                    security_groups=[group],
                    subnets=private,
                    # The CDK's default would admit the whole VPC.
                    open=False,
                )

    @staticmethod
    def services_for(compute: str) -> list[str]:
        """Return the names of the interface endpoints that workers on `compute` need."""
        return [*WORKER_SERVICES, *INSTANCE_SERVICES] if compute == "ec2" else [*WORKER_SERVICES]

    def allow_scoring(
        self, *, bucket: s3.IBucket, jobs: dynamodb.ITable, models: Sequence[str], names: Sequence[str]
    ) -> None:
        """Allow workers to read inputs, write scores, update jobs and invoke the endpoints whose ARNs are in `models`.

        `names` are the ARNs of the objects that hold the models' feature names.
        """
        written = [bucket.arn_for_objects(f"{prefix}/*") for prefix in ("parts", "output")]
        self._allow("S3", ["s3:GetObjectVersion"], [bucket.arn_for_objects(f"{INPUT}*")])
        self._allow("S3", ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"], written)
        if names:
            self._allow("S3", ["s3:GetObject"], names)
        self._allow("S3", ["s3:ListBucket"], [bucket.bucket_arn])
        self._allow("DynamoDb", ["dynamodb:GetItem", "dynamodb:UpdateItem"], [jobs.table_arn])
        self._allow("SageMakerRuntime", ["sagemaker:InvokeEndpoint"], models)

    def allow_start(self, *, repository: ecr.IRepository, log_group: logs.ILogGroup) -> None:
        """Allow what starting a worker needs: pulling the image from `repository` and writing to `log_group`."""
        for name in ("EcrApi", "EcrDocker"):
            self._allow(name, ["ecr:GetAuthorizationToken"], ["*"])
            self._allow(name, PULL, [repository.repository_arn])
        layers = f"arn:{Aws.PARTITION}:s3:::prod-{Aws.REGION}-starport-layer-bucket/*"
        # ECR presigns these downloads, so the requests do not come from a principal of this account.
        self._allow("S3", ["s3:GetObject"], [layers], from_this_account=False)
        self._allow("Logs", ["logs:CreateLogStream", "logs:PutLogEvents"], [log_group.log_group_arn])

    def allow_registration(self, actions: Sequence[str], resources: Sequence[str]) -> None:
        """Allow instances to join their cluster. EcsAgent and EcsTelemetry accept no policy (decision 0018)."""
        self._allow("Ecs", actions, resources)

    def _allow(
        self, name: str, actions: Sequence[str], resources: Sequence[str], *, from_this_account: bool = True
    ) -> None:
        if name not in self._endpoints:  # with a NAT gateway there are no interface endpoints
            return
        # Otherwise an attacker in a worker could use credentials of another account here (decision 0018).
        condition = {"StringEquals": {"aws:PrincipalAccount": self._stack.account}}
        self._endpoints[name].add_to_policy(
            iam.PolicyStatement(
                principals=[iam.StarPrincipal()],
                actions=list(actions),
                resources=list(resources),
                conditions=condition if from_this_account else {},
            )
        )


def _security_group(scope: Construct, vpc: ec2.Vpc, workers: ec2.SecurityGroup) -> ec2.SecurityGroup:
    # The construct ID and the description stay as they are: changing either replaces the security group.
    group = ec2.SecurityGroup(scope, "Doors", vpc=vpc, description="HTTPS from the workers", allow_all_outbound=False)
    peer = ec2.Peer.security_group_id(workers.security_group_id)
    group.add_ingress_rule(peer, ec2.Port.tcp(443), "HTTPS from the workers")
    return group
