"""Amazon Route 53: ids with or without the type before them, as its API takes and returns them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from connectors.aws.catalogue.overrides.kinds import Kind, Scope
from connectors.aws.catalogue.overrides.table import Need, Rows, Service, merged

_ROUTE53: Final = Service("route53", "route53")


def _without(start: str) -> Callable[[str], str]:
    return lambda name: name.removeprefix("/").removeprefix(start)


def _kind(name: str) -> Kind:
    start = f"{name}/"
    return Kind("route53", f"{name}/{{}}", Scope.BARE, re.compile(f"(/?{start})?[^/:]+"), spell=_without(start))


_ZONE: Final = _kind("hostedzone")
_CHECK: Final = _kind("healthcheck")
_AT: Final = _ZONE.at("HostedZoneId")


def _by_type(operation: str, path: str) -> Rows:
    """Return the row of an operation that takes a zone or a health check, as ``ResourceType`` says."""
    return _ROUTE53.row(
        operation,
        Need(f"route53:{operation}", _ZONE.at(path), lambda params: params.get("ResourceType") != "healthcheck"),
        Need(f"route53:{operation}", _CHECK.at(path), lambda params: params.get("ResourceType") != "hostedzone"),
    )


_OTHER: Final[tuple[tuple[str, str, str], ...]] = (
    ("GetChange", "change", "Id"),
    ("ChangeCidrCollection DeleteCidrCollection", "cidrcollection", "Id"),
    ("ListCidrBlocks ListCidrLocations", "cidrcollection", "CollectionId"),
    ("DeleteReusableDelegationSet GetReusableDelegationSet", "delegationset", "Id"),
    ("GetReusableDelegationSetLimit", "delegationset", "DelegationSetId"),
    ("DeleteQueryLoggingConfig GetQueryLoggingConfig", "queryloggingconfig", "Id"),
    (
        "CreateTrafficPolicyVersion DeleteTrafficPolicy GetTrafficPolicy ListTrafficPolicyVersions",
        "trafficpolicy",
        "Id",
    ),
    ("UpdateTrafficPolicyComment", "trafficpolicy", "Id"),
    ("DeleteTrafficPolicyInstance GetTrafficPolicyInstance UpdateTrafficPolicyInstance", "trafficpolicyinstance", "Id"),
    (
        "DeleteHealthCheck GetHealthCheck GetHealthCheckLastFailureReason GetHealthCheckStatus UpdateHealthCheck",
        "healthcheck",
        "HealthCheckId",
    ),
    ("DeleteHostedZone GetHostedZone UpdateHostedZoneComment", "hostedzone", "Id"),
)


TABLE: Final[Rows] = merged(
    *(_ROUTE53.each(names, _kind(name).at(path)) for names, name, path in _OTHER),
    _ROUTE53.each(
        "ActivateKeySigningKey AssociateVPCWithHostedZone ChangeResourceRecordSets CreateKeySigningKey "
        "CreateQueryLoggingConfig CreateVPCAssociationAuthorization DeactivateKeySigningKey DeleteKeySigningKey "
        "DeleteVPCAssociationAuthorization DisableHostedZoneDNSSEC DisassociateVPCFromHostedZone "
        "EnableHostedZoneDNSSEC GetDNSSEC GetHostedZoneLimit ListQueryLoggingConfigs ListResourceRecordSets "
        "ListTrafficPolicyInstancesByHostedZone ListVPCAssociationAuthorizations UpdateHostedZoneFeatures",
        _AT,
    ),
    _by_type("ChangeTagsForResource", "ResourceId"),
    _by_type("ListTagsForResource", "ResourceId"),
    _by_type("ListTagsForResources", "ResourceIds[]"),
)
