"""Amazon RDS: instances, clusters, snapshots, and the groups they use, by name or by ARN."""

from __future__ import annotations

from typing import Final

from connectors.aws.catalogue.overrides import rds_kinds as kinds
from connectors.aws.catalogue.overrides.kinds import Resources, as_given
from connectors.aws.catalogue.overrides.kms import uses_key
from connectors.aws.catalogue.overrides.passing import passes, passes_some_role
from connectors.aws.catalogue.overrides.table import Need, Rows, Service, merged
from connectors.aws.catalogue.overrides.values import given
from connectors.aws.catalogue.place import Params

_RDS: Final = Service("rds", "rds")
_DB, _CLUSTER = kinds.DB.at("DBInstanceIdentifier"), kinds.CLUSTER.at("DBClusterIdentifier")
_SNAPSHOT: Final = kinds.SNAPSHOT.at("DBSnapshotIdentifier")
_CLUSTER_SNAPSHOT: Final = kinds.CLUSTER_SNAPSHOT.at("DBClusterSnapshotIdentifier")
_GLOBAL: Final = kinds.GLOBAL_CLUSTER.at("GlobalClusterIdentifier")
_SHARDS: Final = kinds.SHARDS.at("DBShardGroupIdentifier")
_RESOURCE: Final = as_given("rds", "ResourceName")

_ENCRYPTS: Final = (
    *uses_key("KmsKeyId", "CreateGrant", "DescribeKey"),
    *uses_key("MasterUserSecretKmsKeyId", "CreateGrant", "DescribeKey"),
    *uses_key("PerformanceInsightsKMSKeyId", "CreateGrant", "DescribeKey"),
)
_ROLES: Final = (
    *passes("MonitoringRoleArn", "DomainIAMRoleName", "S3IngestionRoleArn"),
    passes_some_role(given("CustomIamInstanceProfile")),
)


def _stands_alone(params: Params) -> bool:
    """Tell whether an instance is none of a cluster, whose groups are the cluster's."""
    return not given("DBClusterIdentifier")(params)


def _groups(operation: str, *, clustered: bool = False) -> tuple[Need, ...]:
    """Return the groups something new uses: those of the request, else those RDS takes by default."""
    action = f"rds:{operation}"
    named = kinds.CLUSTER_PG if clustered else kinds.PARAMETERS
    path = "DBClusterParameterGroupName" if clustered else "DBParameterGroupName"
    alone = None if clustered else _stands_alone
    return (
        Need(action, named.at(path, kinds.DEFAULT_PARAMETERS)),
        Need(action, kinds.OPTIONS.at("OptionGroupName", kinds.DEFAULT_OPTIONS), alone),
        Need(action, kinds.SUBNETS.at("DBSubnetGroupName", kinds.DEFAULT_SUBNETS), alone),
    )


def _makes(operation: str, made: Resources, *needs: Need, clustered: bool = False) -> Rows:
    """Return the row of an operation that makes an instance or a cluster."""
    own = Need(f"rds:{operation}", made)
    tags = Need("rds:AddTagsToResource", made, given("Tags"))
    return _RDS.row(operation, own, *needs, *_groups(operation, clustered=clustered), tags, *_ROLES, *_ENCRYPTS)


_INSTANCES: Final[Rows] = merged(
    _RDS.each(
        "DeleteDBInstance DescribeDBInstances DescribeDBLogFiles DescribeValidDBInstanceModifications "
        "DownloadDBLogFilePortion PromoteReadReplica RebootDBInstance StartDBInstance SwitchoverReadReplica",
        _DB,
    ),
    _RDS.each("AddRoleToDBInstance RemoveRoleFromDBInstance", _DB, more=passes("RoleArn")),
    _RDS.each("StopDBInstance", _DB, kinds.SNAPSHOT.where("DBSnapshotIdentifier")),
    _makes(
        "CreateDBInstance",
        _DB,
        Need("rds:CreateDBInstance", kinds.CLUSTER.where("DBClusterIdentifier")),
        Need("rds:CreateDBInstance", kinds.SECURITY.where("DBSecurityGroups[]")),
    ),
    _makes(
        "CreateDBInstanceReadReplica",
        _DB,
        Need("rds:CreateDBInstanceReadReplica", kinds.DB.where("SourceDBInstanceIdentifier")),
        Need("rds:CreateDBInstanceReadReplica", kinds.CLUSTER.where("SourceDBClusterIdentifier")),
    ),
    _RDS.each(
        "ModifyDBInstance",
        _DB,
        kinds.PARAMETERS.where("DBParameterGroupName"),
        kinds.OPTIONS.where("OptionGroupName"),
        kinds.SECURITY.where("DBSecurityGroups[]"),
        kinds.SUBNETS.where("DBSubnetGroupName"),
        kinds.DB.where("NewDBInstanceIdentifier"),
        more=(*_ROLES, *_ENCRYPTS),
    ),
    _makes(
        "RestoreDBInstanceFromDBSnapshot",
        _DB,
        Need("rds:RestoreDBInstanceFromDBSnapshot", kinds.SNAPSHOT.where("DBSnapshotIdentifier")),
        Need("rds:RestoreDBInstanceFromDBSnapshot", kinds.CLUSTER_SNAPSHOT.where("DBClusterSnapshotIdentifier")),
    ),
    _makes(
        "RestoreDBInstanceToPointInTime",
        kinds.DB.at("TargetDBInstanceIdentifier"),
        Need("rds:RestoreDBInstanceToPointInTime", kinds.DB.where("SourceDBInstanceIdentifier")),
        Need("rds:RestoreDBInstanceToPointInTime", kinds.BACKUP.where("SourceDBInstanceAutomatedBackupsArn")),
    ),
    _RDS.each("CreateTenantDatabase DeleteTenantDatabase ModifyTenantDatabase", _DB, kinds.TENANT.at("TenantDBName")),
    _makes("RestoreDBInstanceFromS3", _DB),
    _RDS.each(
        "StartDBInstanceAutomatedBackupsReplication",
        kinds.DB.at("SourceDBInstanceArn"),
        kinds.BACKUP.new(),
        more=_ENCRYPTS,
    ),
    _RDS.each("StopDBInstanceAutomatedBackupsReplication", kinds.DB.at("SourceDBInstanceArn")),
    _RDS.each("ApplyPendingMaintenanceAction DescribePendingMaintenanceActions", as_given("rds", "ResourceIdentifier")),
    _RDS.each(
        "DisableHttpEndpoint EnableHttpEndpoint ModifyActivityStream StartActivityStream StopActivityStream",
        as_given("rds", "ResourceArn"),
    ),
    _RDS.each("AddTagsToResource ListTagsForResource RemoveTagsFromResource", _RESOURCE),
)

_CLUSTERS: Final[Rows] = merged(
    _RDS.each(
        "BacktrackDBCluster DeleteDBCluster DescribeDBClusterBacktracks DescribeDBClusters "
        "ModifyCurrentDBClusterCapacity PromoteReadReplicaDBCluster RebootDBCluster StartDBCluster StopDBCluster",
        _CLUSTER,
    ),
    _RDS.each("AddRoleToDBCluster RemoveRoleFromDBCluster", _CLUSTER, more=passes("RoleArn")),
    _RDS.each("FailoverDBCluster", _CLUSTER, kinds.DB.where("TargetDBInstanceIdentifier")),
    _makes(
        "CreateDBCluster",
        _CLUSTER,
        Need("rds:CreateDBCluster", kinds.GLOBAL_CLUSTER.where("GlobalClusterIdentifier")),
        clustered=True,
    ),
    _RDS.each(
        "ModifyDBCluster",
        _CLUSTER,
        kinds.CLUSTER_PG.where("DBClusterParameterGroupName"),
        kinds.PARAMETERS.where("DBInstanceParameterGroupName"),
        kinds.OPTIONS.where("OptionGroupName"),
        kinds.CLUSTER.where("NewDBClusterIdentifier"),
        more=(*_ROLES, *_ENCRYPTS),
    ),
    _makes(
        "RestoreDBClusterFromSnapshot",
        _CLUSTER,
        # The same member takes a snapshot of a cluster or of an instance.
        Need("rds:RestoreDBClusterFromSnapshot", kinds.RESTORED.at("SnapshotIdentifier")),
        clustered=True,
    ),
    _makes(
        "RestoreDBClusterToPointInTime",
        _CLUSTER,
        Need("rds:RestoreDBClusterToPointInTime", kinds.CLUSTER.where("SourceDBClusterIdentifier")),
        clustered=True,
    ),
    _makes("RestoreDBClusterFromS3", _CLUSTER, clustered=True),
    _RDS.each("CreateDBClusterEndpoint", _CLUSTER, kinds.CLUSTER_ENDPOINT.at("DBClusterEndpointIdentifier")),
    _RDS.each(
        "DeleteDBClusterEndpoint ModifyDBClusterEndpoint", kinds.CLUSTER_ENDPOINT.at("DBClusterEndpointIdentifier")
    ),
    _RDS.each("CreateDBShardGroup", _CLUSTER, kinds.SHARDS.some()),
    _RDS.each("DeleteDBShardGroup DescribeDBShardGroups ModifyDBShardGroup RebootDBShardGroup", _SHARDS),
    _RDS.each("CreateGlobalCluster", _GLOBAL, kinds.CLUSTER.where("SourceDBClusterIdentifier")),
    _RDS.each("DeleteGlobalCluster DescribeGlobalClusters ModifyGlobalCluster", _GLOBAL),
    _RDS.each("FailoverGlobalCluster SwitchoverGlobalCluster", _GLOBAL, kinds.CLUSTER.at("TargetDbClusterIdentifier")),
    _RDS.each("RemoveFromGlobalCluster", _GLOBAL, kinds.CLUSTER.at("DbClusterIdentifier")),
    _RDS.each(
        "DeleteBlueGreenDeployment DescribeBlueGreenDeployments SwitchoverBlueGreenDeployment",
        kinds.DEPLOYMENT.at("BlueGreenDeploymentIdentifier"),
    ),
    _RDS.each(
        "DeleteIntegration DescribeIntegrations ModifyIntegration", kinds.INTEGRATION.at("IntegrationIdentifier")
    ),
)

_SNAPSHOTS: Final[Rows] = merged(
    _RDS.each(
        "DeleteDBSnapshot DescribeDBSnapshotAttributes ModifyDBSnapshotAttribute",
        _SNAPSHOT,
    ),
    _RDS.each("ModifyDBSnapshot", _SNAPSHOT, kinds.OPTIONS.where("OptionGroupName")),
    _RDS.each("CreateDBSnapshot", _SNAPSHOT, _DB),
    _RDS.each("DescribeDBSnapshots", kinds.SNAPSHOT.at("DBSnapshotIdentifier"), kinds.DB.where("DBInstanceIdentifier")),
    _RDS.each(
        "CopyDBSnapshot",
        kinds.SNAPSHOT.at("SourceDBSnapshotIdentifier"),
        kinds.SNAPSHOT.at("TargetDBSnapshotIdentifier"),
        more=_ENCRYPTS,
    ),
    _RDS.each(
        "DeleteDBClusterSnapshot DescribeDBClusterSnapshotAttributes ModifyDBClusterSnapshotAttribute",
        _CLUSTER_SNAPSHOT,
    ),
    _RDS.each("CreateDBClusterSnapshot", _CLUSTER_SNAPSHOT, _CLUSTER),
    _RDS.each("DescribeDBClusterSnapshots", _CLUSTER_SNAPSHOT, kinds.CLUSTER.where("DBClusterIdentifier")),
    _RDS.each(
        "CopyDBClusterSnapshot",
        kinds.CLUSTER_SNAPSHOT.at("SourceDBClusterSnapshotIdentifier"),
        kinds.CLUSTER_SNAPSHOT.at("TargetDBClusterSnapshotIdentifier"),
        more=_ENCRYPTS,
    ),
    # A snapshot or a live cluster, told by its ARN; what is read is written to a bucket of the request.
    _RDS.each("StartExportTask", as_given("rds", "SourceArn"), more=passes("IamRoleArn")),
)

TABLE: Final[Rows] = merged(_INSTANCES, _CLUSTERS, _SNAPSHOTS)
