"""Amazon DynamoDB: every table of a batch or transaction, and indexes besides their table.

The tables of a PartiQL statement stand in its text; they are not read from it, so they are unknown. Its first word says
what it does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from connectors.aws.catalogue.overrides.kinds import ARN_ONLY, Kind, Scope, segment
from connectors.aws.catalogue.overrides.passing import passes_any
from connectors.aws.catalogue.overrides.s3_names import BUCKET
from connectors.aws.catalogue.overrides.table import Need, Rows, Service, merged
from connectors.aws.catalogue.overrides.values import Test, found, given, texts
from connectors.aws.catalogue.place import UNKNOWN, Params, Place

_DYNAMODB: Final = Service("dynamodb", "dynamodb")
_STREAMS: Final = Service("dynamodbstreams", "dynamodb")
TABLE_KIND: Final = Kind("dynamodb", "table/{}")
_PART: Final = Kind("dynamodb", "table/{}", form=ARN_ONLY)
"""Streams, backups, exports and imports: each of them behind its table."""
_GLOBAL: Final = Kind("dynamodb", "global-table/{}", Scope.GLOBAL)
_TABLE: Final = TABLE_KIND.at("TableName")
_STREAM: Final = Kind("dynamodb", f"table/{{}}/stream/{UNKNOWN}")


def _index(params: Params, place: Place) -> Iterator[str]:
    """Return the index, when one is named."""
    name = params.get("IndexName")
    if name is not None:
        for table in _TABLE(params, place):
            yield f"{table}/index/{segment(name, 'IndexName')}"


_STATEMENT: Final = re.compile(r"\s*(select|insert|update|delete)\b", re.IGNORECASE)
_VERBS: Final = ("Select", "Insert", "Update", "Delete")


def _partiql(path: str) -> tuple[Need, ...]:
    """Return the needs of the statements at a path."""
    return tuple(Need(f"dynamodb:PartiQL{verb}", TABLE_KIND.some(), _does(path, verb)) for verb in _VERBS)


def _does(path: str, verb: str) -> Test:
    """Return the test that a statement may do this; one that cannot be told, or a missing one, may do anything."""

    def test(params: Params) -> bool:
        matches = [_STATEMENT.match(statement) for statement in texts(params, path)]
        return not matches or any(match is None or match[1].lower() == verb.lower() for match in matches)

    return test


def _transacted(part: str, action: str) -> Need:
    path = f"TransactItems[].{part}.TableName"
    return Need(f"dynamodb:{action}", TABLE_KIND.at(path), _has_part(part))


def _has_part(part: str) -> Test:
    return lambda params: any(item is not None for item in found(params, f"TransactItems[].{part}"))


def _import_source(params: Params, place: Place) -> Iterator[str]:
    for bucket in BUCKET.at("S3BucketSource.S3Bucket")(params, place):
        yield f"{bucket}/{UNKNOWN}"


def _export_target(params: Params, place: Place) -> Iterator[str]:
    for bucket in BUCKET.at("S3Bucket")(params, place):
        yield f"{bucket}/{UNKNOWN}"


_ON_TABLE: Final = (
    "CreateBackup DeleteItem DeleteTable DescribeContinuousBackups DescribeKinesisStreamingDestination DescribeTable "
    "DescribeTableReplicaAutoScaling DescribeTimeToLive DisableKinesisStreamingDestination "
    "EnableKinesisStreamingDestination GetItem PutItem UpdateContinuousBackups UpdateItem "
    "UpdateKinesisStreamingDestination UpdateTable UpdateTimeToLive"
)

TABLE: Final[Rows] = merged(
    _DYNAMODB.each(_ON_TABLE, _TABLE),
    _DYNAMODB.each("DescribeContributorInsights Query Scan SearchVectors UpdateContributorInsights", _TABLE, _index),
    _DYNAMODB.each(
        "CreateTable",
        _TABLE,
        more=(
            Need("dynamodb:TagResource", _TABLE, given("Tags")),
            Need("dynamodb:PutResourcePolicy", _TABLE, given("ResourcePolicy")),
        ),
    ),
    _DYNAMODB.each("UpdateTableReplicaAutoScaling", _TABLE, more=(passes_any(),)),
    _DYNAMODB.each("BatchGetItem BatchWriteItem", TABLE_KIND.at("RequestItems{}")),
    _DYNAMODB.row("TransactGetItems", _transacted("Get", "GetItem")),
    _DYNAMODB.row(
        "TransactWriteItems",
        _transacted("ConditionCheck", "ConditionCheckItem"),
        _transacted("Put", "PutItem"),
        _transacted("Delete", "DeleteItem"),
        _transacted("Update", "UpdateItem"),
    ),
    _DYNAMODB.row("ExecuteStatement", *_partiql("Statement")),
    _DYNAMODB.row("BatchExecuteStatement", *_partiql("Statements[].Statement")),
    _DYNAMODB.row("ExecuteTransaction", *_partiql("TransactStatements[].Statement")),
    _DYNAMODB.each("DeleteBackup DescribeBackup", _PART.at("BackupArn")),
    _DYNAMODB.each("DescribeExport", _PART.at("ExportArn")),
    _DYNAMODB.each("DescribeImport", _PART.at("ImportArn")),
    _DYNAMODB.each("ListExports ListImports", _PART.at("TableArn")),
    _DYNAMODB.each(
        "DeleteResourcePolicy GetResourcePolicy ListTagsOfResource PutResourcePolicy TagResource UntagResource",
        _PART.at("ResourceArn"),
    ),
    _DYNAMODB.each("ExportTableToPointInTime", _PART.at("TableArn"), more=(Need("s3:PutObject", _export_target),)),
    _DYNAMODB.each(
        "ImportTable",
        TABLE_KIND.at("TableCreationParameters.TableName"),
        more=(Need("s3:GetObject", _import_source), Need("s3:ListBucket", BUCKET.at("S3BucketSource.S3Bucket"))),
    ),
    # What is restored is written item by item, and IAM asks for each way to do so.
    _DYNAMODB.row(
        "RestoreTableFromBackup",
        Need("dynamodb:RestoreTableFromBackup", _PART.at("BackupArn")),
        Need("dynamodb:RestoreTableFromBackup", TABLE_KIND.at("TargetTableName")),
        *(
            Need(f"dynamodb:{name}", TABLE_KIND.at("TargetTableName"))
            for name in ("BatchWriteItem", "DeleteItem", "GetItem", "PutItem", "Query", "Scan", "UpdateItem")
        ),
    ),
    _DYNAMODB.row(
        "RestoreTableToPointInTime",
        Need("dynamodb:RestoreTableToPointInTime", TABLE_KIND.where("SourceTableName")),
        Need("dynamodb:RestoreTableToPointInTime", _PART.where("SourceTableArn")),
        Need("dynamodb:RestoreTableToPointInTime", TABLE_KIND.at("TargetTableName")),
        *(
            Need(f"dynamodb:{name}", TABLE_KIND.at("TargetTableName"))
            for name in ("BatchWriteItem", "DeleteItem", "GetItem", "PutItem", "Query", "Scan", "UpdateItem")
        ),
    ),
    _DYNAMODB.each(
        "CreateGlobalTable UpdateGlobalTable UpdateGlobalTableSettings",
        _GLOBAL.at("GlobalTableName"),
        TABLE_KIND.at("GlobalTableName"),
        more=(passes_any("ReplicaSettingsUpdate"),),
    ),
    _DYNAMODB.each("DescribeGlobalTable DescribeGlobalTableSettings", _GLOBAL.at("GlobalTableName")),
    _STREAMS.each("DescribeStream GetShardIterator", _PART.at("StreamArn")),
    # The iterator is sealed by DynamoDB; the stream in it cannot be relied on.
    _STREAMS.each("GetRecords", _STREAM.some()),
)
