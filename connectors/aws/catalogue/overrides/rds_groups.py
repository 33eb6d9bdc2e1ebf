"""Amazon RDS: parameter, option, subnet and security groups, proxies and subscriptions."""

from __future__ import annotations

from typing import Final

from connectors.aws.catalogue.overrides import rds_kinds as kinds
from connectors.aws.catalogue.overrides.kinds import anything
from connectors.aws.catalogue.overrides.passing import passes
from connectors.aws.catalogue.overrides.table import Rows, Service, merged

_RDS: Final = Service("rds", "rds")
_TARGETS: Final = kinds.TARGETS.at("TargetGroupName")
_PROXY: Final = kinds.PROXY.at("DBProxyName")
_TARGETED: Final = (kinds.DB.where("DBInstanceIdentifiers[]"), kinds.CLUSTER.where("DBClusterIdentifiers[]"))

TABLE: Final[Rows] = merged(
    _RDS.each(
        "CreateDBParameterGroup DeleteDBParameterGroup DescribeDBParameterGroups DescribeDBParameters "
        "ModifyDBParameterGroup ResetDBParameterGroup",
        kinds.PARAMETERS.at("DBParameterGroupName"),
    ),
    _RDS.each(
        "CopyDBParameterGroup",
        kinds.PARAMETERS.at("SourceDBParameterGroupIdentifier"),
        kinds.PARAMETERS.at("TargetDBParameterGroupIdentifier"),
    ),
    _RDS.each(
        "CreateDBClusterParameterGroup DeleteDBClusterParameterGroup DescribeDBClusterParameterGroups "
        "DescribeDBClusterParameters ModifyDBClusterParameterGroup ResetDBClusterParameterGroup",
        kinds.CLUSTER_PG.at("DBClusterParameterGroupName"),
    ),
    _RDS.each(
        "CopyDBClusterParameterGroup",
        kinds.CLUSTER_PG.at("SourceDBClusterParameterGroupIdentifier"),
        kinds.CLUSTER_PG.at("TargetDBClusterParameterGroupIdentifier"),
    ),
    _RDS.each(
        "CreateOptionGroup DeleteOptionGroup DescribeOptionGroups ModifyOptionGroup",
        kinds.OPTIONS.at("OptionGroupName"),
    ),
    _RDS.each(
        "CopyOptionGroup",
        kinds.OPTIONS.at("SourceOptionGroupIdentifier"),
        kinds.OPTIONS.at("TargetOptionGroupIdentifier"),
    ),
    _RDS.each(
        "CreateDBSubnetGroup DeleteDBSubnetGroup DescribeDBSubnetGroups ModifyDBSubnetGroup",
        kinds.SUBNETS.at("DBSubnetGroupName"),
    ),
    _RDS.each(
        "AuthorizeDBSecurityGroupIngress CreateDBSecurityGroup DeleteDBSecurityGroup DescribeDBSecurityGroups "
        "RevokeDBSecurityGroupIngress",
        kinds.SECURITY.at("DBSecurityGroupName"),
    ),
    _RDS.each(
        "AddSourceIdentifierToSubscription CreateEventSubscription DeleteEventSubscription DescribeEventSubscriptions "
        "ModifyEventSubscription RemoveSourceIdentifierFromSubscription",
        kinds.EVENTS.at("SubscriptionName"),
    ),
    _RDS.each("CreateDBProxy", anything, more=passes("RoleArn")),
    _RDS.each("ModifyDBProxy", _PROXY, more=passes("RoleArn")),
    _RDS.each("DeleteDBProxy DescribeDBProxies DescribeDBProxyTargetGroups", _PROXY),
    _RDS.each("DescribeDBProxyTargets", _PROXY, _TARGETS),
    _RDS.each("ModifyDBProxyTargetGroup", _TARGETS),
    _RDS.each("RegisterDBProxyTargets", _TARGETS, *_TARGETED),
    _RDS.each("DeregisterDBProxyTargets", _TARGETS, _PROXY, *_TARGETED),
    _RDS.each("CreateDBProxyEndpoint DescribeDBProxyEndpoints", _PROXY, kinds.PROXY_ENDPOINT.at("DBProxyEndpointName")),
    _RDS.each("DeleteDBProxyEndpoint ModifyDBProxyEndpoint", kinds.PROXY_ENDPOINT.at("DBProxyEndpointName")),
)
