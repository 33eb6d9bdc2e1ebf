"""Amazon EC2: networks, addresses and the ways between them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from connectors.aws.catalogue.overrides.ec2_kinds import TAGS, kind, of_any_type
from connectors.aws.catalogue.overrides.kinds import Resources, segment
from connectors.aws.catalogue.overrides.passing import passes
from connectors.aws.catalogue.overrides.table import Rows, Service, merged
from connectors.aws.catalogue.overrides.values import given
from connectors.aws.catalogue.place import Params, Place

_EC2: Final = Service("ec2", "ec2")


def _at(name: str, path: str) -> Resources:
    return kind(name).at(path)


def _where(name: str, path: str) -> Resources:
    return kind(name).where(path)


def _new(name: str) -> Resources:
    return kind(name).new()


def _some(name: str) -> Resources:
    return kind(name).some()


def _peer(params: Params, place: Place) -> Iterator[str]:
    """Return the other side of a peering: in another account and region where the request says so."""
    account = segment(params.get("PeerOwnerId", place.account), "PeerOwnerId")
    region = segment(params.get("PeerRegion", place.region), "PeerRegion")
    yield f"arn:{place.partition}:ec2:{region}:{account}:vpc/{segment(params.get('PeerVpcId'), 'PeerVpcId')}"


def _gateway(params: Params, place: Place) -> Iterator[str]:
    if given("GatewayId")(params):
        yield from of_any_type("GatewayId")(params, place)


_ADDRESS: Final = _at("elastic-ip", "AllocationId")
"""An address that is given by its digits has an id nobody can tell."""

_NETWORKS: Final[Rows] = merged(
    _EC2.each("CreateVpc", _new("vpc"), more=(TAGS,)),
    _EC2.each("DeleteVpc DescribeVpcAttribute ModifyVpcAttribute", _at("vpc", "VpcId")),
    _EC2.each("CreateSubnet", _new("subnet"), _at("vpc", "VpcId"), more=(TAGS,)),
    _EC2.each("DeleteSubnet ModifySubnetAttribute", _at("subnet", "SubnetId")),
    _EC2.each("CreateNetworkAcl", _new("network-acl"), _at("vpc", "VpcId"), more=(TAGS,)),
    _EC2.each(
        "CreateNetworkAclEntry DeleteNetworkAcl DeleteNetworkAclEntry ReplaceNetworkAclEntry",
        _at("network-acl", "NetworkAclId"),
    ),
    _EC2.each(
        "CreateVpcEndpoint",
        _new("vpc-endpoint"),
        _at("vpc", "VpcId"),
        _where("subnet", "SubnetIds[]"),
        _where("security-group", "SecurityGroupIds[]"),
        _where("route-table", "RouteTableIds[]"),
        more=(TAGS,),
    ),
    _EC2.each("DeleteVpcEndpoints", _at("vpc-endpoint", "VpcEndpointIds[]")),
    _EC2.each("CreateVpcPeeringConnection", _new("vpc-peering-connection"), _at("vpc", "VpcId"), _peer, more=(TAGS,)),
    _EC2.each("AcceptVpcPeeringConnection", _at("vpc-peering-connection", "VpcPeeringConnectionId"), _some("vpc")),
    _EC2.each(
        "DeleteVpcPeeringConnection RejectVpcPeeringConnection",
        _at("vpc-peering-connection", "VpcPeeringConnectionId"),
    ),
    _EC2.each(
        "CreateFlowLogs",
        _new("vpc-flow-log"),
        of_any_type("ResourceIds[]"),
        more=(TAGS, *passes("DeliverLogsPermissionArn", "DeliverCrossAccountRole")),
    ),
    _EC2.each("DeleteFlowLogs", _at("vpc-flow-log", "FlowLogIds[]")),
)

_ROUTES: Final[Rows] = merged(
    _EC2.each("CreateRouteTable", _new("route-table"), _at("vpc", "VpcId"), more=(TAGS,)),
    _EC2.each("CreateRoute DeleteRoute DeleteRouteTable ReplaceRoute", _at("route-table", "RouteTableId")),
    _EC2.each("AssociateRouteTable", _at("route-table", "RouteTableId"), _where("subnet", "SubnetId"), _gateway),
    # Which table and subnet an association joins is not in the request.
    _EC2.each("DisassociateRouteTable", _some("route-table"), _some("subnet")),
    _EC2.each(
        "ReplaceRouteTableAssociation", _at("route-table", "RouteTableId"), _some("route-table"), _some("subnet")
    ),
    _EC2.each("CreateInternetGateway", _new("internet-gateway"), more=(TAGS,)),
    _EC2.each("DeleteInternetGateway", _at("internet-gateway", "InternetGatewayId")),
    _EC2.each(
        "AttachInternetGateway DetachInternetGateway",
        _at("internet-gateway", "InternetGatewayId"),
        _at("vpc", "VpcId"),
    ),
    _EC2.each(
        "CreateNatGateway",
        _new("natgateway"),
        _where("subnet", "SubnetId"),
        _where("vpc", "VpcId"),
        _where("elastic-ip", "AllocationId"),
        _where("elastic-ip", "SecondaryAllocationIds[]"),
        more=(TAGS,),
    ),
    _EC2.each("DeleteNatGateway", _at("natgateway", "NatGatewayId")),
)

_INTERFACES: Final[Rows] = merged(
    _EC2.each("AllocateAddress", _new("elastic-ip"), more=(TAGS,)),
    _EC2.each(
        "AssociateAddress",
        _ADDRESS,
        _where("instance", "InstanceId"),
        _where("network-interface", "NetworkInterfaceId"),
    ),
    _EC2.each("DisassociateAddress", _some("elastic-ip"), _some("network-interface")),
    _EC2.each("ReleaseAddress", _ADDRESS),
    _EC2.each(
        "CreateNetworkInterface",
        _new("network-interface"),
        _at("subnet", "SubnetId"),
        _where("security-group", "Groups[]"),
        more=(TAGS,),
    ),
    _EC2.each(
        "DeleteNetworkInterface DescribeNetworkInterfaceAttribute ResetNetworkInterfaceAttribute "
        "AssignPrivateIpAddresses UnassignPrivateIpAddresses",
        _at("network-interface", "NetworkInterfaceId"),
    ),
    _EC2.each("AttachNetworkInterface", _at("network-interface", "NetworkInterfaceId"), _at("instance", "InstanceId")),
    _EC2.each("DetachNetworkInterface", _some("network-interface"), _some("instance")),
    _EC2.each(
        "ModifyNetworkInterfaceAttribute",
        _at("network-interface", "NetworkInterfaceId"),
        _where("security-group", "Groups[]"),
    ),
)

TABLE: Final[Rows] = merged(_NETWORKS, _ROUTES, _INTERFACES)
