"""The workers' subnets: one private subnet per zone, and a public subnet for the NAT gateway, if there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from aws_cdk import Fn
from aws_cdk import aws_ec2 as ec2

from stacks.settings.sections import NetworkSettings

CIDR = "10.0.0.0/16"


@dataclass(frozen=True)
class Zone:
    """An availability zone by its name or by its id, and its index in the address range.

    CloudFormation creates a new subnet before it deletes the old one, and their addresses must not overlap. So `place`
    derives from the zone's letter or number: adding or removing a zone does not move another zone's subnet.
    """

    place: int
    name: str | None = None
    id: str | None = None

    @property
    def private_range(self) -> str:
        # Six ranges of 8192 addresses end at 10.0.191.255; the public ranges begin after them.
        return f"10.0.{32 * self.place}.0/19"

    @property
    def public_range(self) -> str:
        return f"10.0.192.{16 * self.place}/28"


def zones_of(settings: NetworkSettings) -> list[Zone]:
    """Return the zones in use. If none are set, take the region's first, by index: names need a lookup at synth."""
    if not settings.zones:
        return [Zone(index, name=Fn.select(index, Fn.get_azs())) for index in range(settings.max_azs)]
    # Sorted, so that the order in the file does not decide which zone gets the NAT gateway.
    if settings.are_zone_ids:
        return [Zone(int(zone[-1]) - 1, id=zone) for zone in sorted(settings.zones)]
    return [Zone(ord(zone[-1]) - ord("a"), name=zone) for zone in sorted(settings.zones)]


def private_subnets(vpc: ec2.Vpc, zones: Sequence[Zone], *, has_nat: bool) -> list[ec2.ISubnet]:
    """Return one subnet per zone; with `has_nat`, they reach the internet through one NAT gateway in the first zone."""
    private = [_private(vpc, zone) for zone in zones]
    if has_nat:
        gateway = _nat_gateway(vpc, zones[0])
        for subnet in private:
            subnet.add_default_nat_route(gateway.ref)
    return list[ec2.ISubnet](private)


def _private(vpc: ec2.Vpc, zone: Zone) -> ec2.PrivateSubnet:
    subnet = ec2.PrivateSubnet(
        vpc,
        f"PrivateSubnet{zone.place + 1}",
        vpc_id=vpc.vpc_id,
        availability_zone=zone.name or str(zone.id),
        cidr_block=zone.private_range,
        map_public_ip_on_launch=False,
    )
    _place(subnet, zone)
    return subnet


def _nat_gateway(vpc: ec2.Vpc, zone: Zone) -> ec2.CfnNatGateway:
    internet = ec2.CfnInternetGateway(vpc, "IGW")
    attachment = ec2.CfnVPCGatewayAttachment(vpc, "VPCGW", vpc_id=vpc.vpc_id, internet_gateway_id=internet.ref)
    subnet = ec2.PublicSubnet(
        vpc,
        f"PublicSubnet{zone.place + 1}",
        vpc_id=vpc.vpc_id,
        availability_zone=zone.name or str(zone.id),
        cidr_block=zone.public_range,
        map_public_ip_on_launch=False,
    )
    _place(subnet, zone)
    subnet.add_default_internet_route(internet.ref, attachment)
    return subnet.add_nat_gateway()


def _place(subnet: ec2.Subnet, zone: Zone) -> None:
    """The CDK's subnets accept zone names only; CloudFormation accepts ids too."""
    if zone.id:
        resource = cast(ec2.CfnSubnet, subnet.node.default_child)
        resource.availability_zone, resource.availability_zone_id = None, zone.id
