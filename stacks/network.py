"""The network of the workers: private subnets with no way to the internet, and doors to the services they call."""

from __future__ import annotations

from aws_cdk import Fn, RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_logs as logs
from constructs import Construct

CIDR = "10.0.0.0/16"
HTTPS = ec2.Port.tcp(443)
GATEWAYS = {
    "S3": ec2.GatewayVpcEndpointAwsService.S3,
    "DynamoDb": ec2.GatewayVpcEndpointAwsService.DYNAMODB,
}
INTERFACES = {
    "EcrApi": ec2.InterfaceVpcEndpointAwsService.ECR,
    "EcrDocker": ec2.InterfaceVpcEndpointAwsService.ECR_DOCKER,
    "Logs": ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
    "SageMakerRuntime": ec2.InterfaceVpcEndpointAwsService.SAGEMAKER_RUNTIME,
}


class Network(Construct):
    def __init__(self, scope: Construct, construct_id: str, *, azs: int) -> None:
        super().__init__(scope, construct_id)
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr(CIDR),
            # By index, not by name: names would need a look-up in the account at synth.
            availability_zones=[Fn.select(index, Fn.get_azs()) for index in range(azs)],
            nat_gateways=0,
            subnet_configuration=[ec2.SubnetConfiguration(name="Private", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)],
            gateway_endpoints={name: ec2.GatewayVpcEndpointOptions(service=door) for name, door in GATEWAYS.items()},
        )
        self._record_flows()
        self._open_doors()
        self.worker_security_group = self._worker_security_group()

    def _record_flows(self) -> None:
        log_group = logs.LogGroup(
            self, "FlowLogs", retention=logs.RetentionDays.ONE_MONTH, removal_policy=RemovalPolicy.DESTROY
        )
        self.vpc.add_flow_log("FlowLog", destination=ec2.FlowLogDestination.to_cloud_watch_logs(log_group))

    def _open_doors(self) -> None:
        doors = ec2.SecurityGroup(
            self, "Doors", vpc=self.vpc, description="HTTPS from within the VPC", allow_all_outbound=False
        )
        doors.add_ingress_rule(ec2.Peer.ipv4(CIDR), HTTPS, "HTTPS from within the VPC")
        for name, service in INTERFACES.items():
            self.vpc.add_interface_endpoint(name, service=service, security_groups=[doors], open=False)

    def _worker_security_group(self) -> ec2.SecurityGroup:
        """Anywhere by HTTPS: S3 and DynamoDB have public addresses, and nothing else can be reached from here."""
        group = ec2.SecurityGroup(
            self, "Workers", vpc=self.vpc, description="Workers: HTTPS out, nothing in", allow_all_outbound=False
        )
        group.add_egress_rule(ec2.Peer.any_ipv4(), HTTPS, "HTTPS to the VPC endpoints")
        return group
