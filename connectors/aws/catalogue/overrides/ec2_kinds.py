"""Types of Amazon EC2, told from the beginning of an id where a param takes any of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from connectors.aws.catalogue.overrides.kinds import PATH, SEGMENT, Kind, Resources, Scope, segment
from connectors.aws.catalogue.overrides.table import Need
from connectors.aws.catalogue.overrides.values import found, given, text
from connectors.aws.catalogue.place import ANY, UNKNOWN, Params, Place

_WITHOUT_ACCOUNT: Final = frozenset({"image", "snapshot"})
_BY_NAME: Final = frozenset({"key-pair", "placement-group"})
"""Types whose ARN holds a name: from an id nobody can tell it."""

_TYPES: Final = {
    "acl": "network-acl",
    "ami": "image",
    "cgw": "customer-gateway",
    "cr": "capacity-reservation",
    "dopt": "dhcp-options",
    "eigw": "egress-only-internet-gateway",
    "eipalloc": "elastic-ip",
    "eni": "network-interface",
    "fl": "vpc-flow-log",
    "fleet": "fleet",
    "h": "dedicated-host",
    "i": "instance",
    "igw": "internet-gateway",
    "key": "key-pair",
    "lt": "launch-template",
    "nat": "natgateway",
    "pcx": "vpc-peering-connection",
    "pg": "placement-group",
    "pl": "prefix-list",
    "rtb": "route-table",
    "sfr": "spot-fleet-request",
    "sg": "security-group",
    "sgr": "security-group-rule",
    "sir": "spot-instances-request",
    "snap": "snapshot",
    "subnet": "subnet",
    "tgw": "transit-gateway",
    "tgw-attach": "transit-gateway-attachment",
    "tgw-rtb": "transit-gateway-route-table",
    "vgw": "vpn-gateway",
    "vol": "volume",
    "vpc": "vpc",
    "vpce": "vpc-endpoint",
    "vpce-svc": "vpc-endpoint-service",
    "vpn": "vpn-connection",
}
_ID: Final = re.compile(r"(?P<start>[a-z]+(-[a-z]+)*)-[0-9a-f]{8,}")
_KNOWN_TYPE: Final = re.compile("[a-z0-9-]+")


@cache
def kind(name: str) -> Kind:
    """Return a type by the name its ARNs have."""
    scope = Scope.SHARED if name in _WITHOUT_ACCOUNT else Scope.REGIONAL
    return Kind("ec2", f"{name}/{{}}", scope, PATH if name in _BY_NAME else SEGMENT)


def named_or(name: str, ids: str, names: str) -> Resources:
    """Return resources that are given by id or by name; a name leaves the id in the ARN unknown.

    Args:
        name: Of the type.
        ids: Path of the ids.
        names: Path of the names.
    """

    def resources(params: Params, place: Place) -> Iterator[str]:
        yield from (kind(name).where if given(names)(params) else kind(name).at)(ids)(params, place)
        if given(names)(params):
            yield from kind(name).some()(params, place)

    return resources


def of_any_type(path: str) -> Resources:
    """Return resources whose type only their id tells; one that does not is wholly unknown."""

    def resources(params: Params, place: Place) -> Iterator[str]:
        for value in found(params, path) or [None]:
            name = segment(value, path)
            match = _ID.fullmatch(name)
            found_type = _TYPES.get(match["start"]) if match else None
            if found_type is None:
                yield f"arn:{place.partition}:ec2:{place.region}:{UNKNOWN}"
            else:
                yield kind(found_type).named(place, UNKNOWN if found_type in _BY_NAME else name)

    return resources


def _tagged(params: Params, place: Place) -> Iterator[str]:
    for value in found(params, "TagSpecifications[].ResourceType"):
        name = UNKNOWN if value is None else text(value, "TagSpecifications[].ResourceType")
        if _KNOWN_TYPE.fullmatch(name) is None:
            yield f"arn:{place.partition}:ec2:{place.region}:{UNKNOWN}"
        else:
            yield kind(name).named(place, ANY)


TAGS: Final = Need("ec2:CreateTags", _tagged, given("TagSpecifications"))
"""Tags on what a call makes."""
