"""The workers' network: private subnets, with VPC endpoints for the services they call, or with a NAT gateway."""

from __future__ import annotations

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from stacks.constructs.findings import accept
from stacks.constructs.grants import grant, service_principal
from stacks.constructs.log_group import log_group
from stacks.scoring.subnets import CIDR, private_subnets, zones_of
from stacks.scoring.vpc_endpoints import VpcEndpoints
from stacks.settings.sections import NetworkSettings

HTTPS = ec2.Port.tcp(443)

GATEWAY_REASON = (
    'With network.mode = "nat", the public subnets hold only NAT gateways and assign no public addresses; only replies '
    "to the workers' own requests come in."
)


class Network(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: NetworkSettings,
        compute: str,
        log_days: int,
        logs_key: kms.IKey,
    ) -> None:
        super().__init__(scope, construct_id)
        has_nat = settings.mode == "nat"
        # Without the CDK's subnets: they would move to other addresses if the zones change (decision 0019).
        self.vpc = ec2.Vpc(
            self, "Vpc", ip_addresses=ec2.IpAddresses.cidr(CIDR), nat_gateways=0, subnet_configuration=[]
        )
        self.private_subnets = private_subnets(self.vpc, zones_of(settings), has_nat=has_nat)
        if has_nat:
            accept(self.vpc, "NIST.800.53.R5-VPCNoUnrestrictedRouteToIGW", GATEWAY_REASON)
        if settings.flow_logs:
            self._record_flows(log_days, logs_key)
        else:
            accept(
                self.vpc,
                "AwsSolutions-VPC7",
                "The setting network.flow_logs = false: this account records flows elsewhere, or does not need them.",
            )
        self.worker_security_group = self._worker_security_group()
        services = [] if has_nat else VpcEndpoints.services_for(compute)
        self.vpc_endpoints = VpcEndpoints(
            self, vpc=self.vpc, subnets=self.private_subnets, services=services, workers=self.worker_security_group
        )

    def _record_flows(self, log_days: int, logs_key: kms.IKey) -> None:
        """Record flows with an L1 construct: the CDK's FlowLog gives its role an unnecessary `iam:PassRole`."""
        service = service_principal("vpc-flow-logs.amazonaws.com")
        group = log_group(self, "FlowLogs", days=log_days, key=logs_key)
        role = iam.Role(self, "FlowLogRole", assumed_by=service)
        grant(role, ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"], group.log_group_arn)
        flow_log = ec2.CfnFlowLog(
            self,
            "FlowLog",
            resource_id=self.vpc.vpc_id,
            resource_type="VPC",
            traffic_type="ALL",
            log_group_name=group.log_group_name,
            deliver_logs_permission_arn=role.role_arn,
        )
        flow_log.node.add_dependency(role.node.find_child("DefaultPolicy"))  # or the first records are rejected

    def _worker_security_group(self) -> ec2.SecurityGroup:
        """HTTPS to any address: S3 and DynamoDB have public addresses, which are unknown at synth."""
        group = ec2.SecurityGroup(
            self, "Workers", vpc=self.vpc, description="Workers: HTTPS out, nothing in", allow_all_outbound=False
        )
        group.add_egress_rule(ec2.Peer.any_ipv4(), HTTPS, "HTTPS to the services of AWS")
        return group
