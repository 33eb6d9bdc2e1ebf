"""S3 operations on buckets, and those that name none.

IAM calls the action that deletes a configuration the one that puts it, where it has no action of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from connectors.aws.catalogue.overrides.kinds import Kind, anything
from connectors.aws.catalogue.overrides.passing import passes
from connectors.aws.catalogue.overrides.s3_names import buckets
from connectors.aws.catalogue.overrides.table import Need, Rows, Service, merged
from connectors.aws.catalogue.overrides.values import given, says
from connectors.aws.catalogue.place import UNKNOWN, Params, Place

_S3: Final = Service("s3", "s3")
_BUCKET: Final = buckets()
_TRANSFORMING: Final = Kind("s3-object-lambda", "accesspoint/{}")

_GRANTS: Final = given("ACL", "GrantFullControl", "GrantRead", "GrantReadACP", "GrantWrite", "GrantWriteACP")

_OWN_NAMES: Final = (
    "DeleteBucket DeleteBucketMetadataTableConfiguration DeleteBucketPolicy DeleteBucketWebsite GetBucketAbac "
    "GetBucketAcl GetBucketLocation GetBucketLogging GetBucketMetadataTableConfiguration GetBucketNotification "
    "GetBucketOwnershipControls GetBucketPolicy GetBucketPolicyStatus GetBucketRequestPayment GetBucketTagging "
    "GetBucketVersioning GetBucketWebsite PutBucketAbac PutBucketAcl PutBucketLogging PutBucketNotification "
    "PutBucketOwnershipControls PutBucketPolicy PutBucketRequestPayment PutBucketTagging PutBucketVersioning "
    "PutBucketWebsite"
)
_OTHER_NAMES: Final = (
    "DeleteBucketMetadataConfiguration=DeleteBucketMetadataTableConfiguration "
    "DeleteBucketOwnershipControls=PutBucketOwnershipControls DeleteBucketTagging=PutBucketTagging "
    "GetBucketMetadataConfiguration=GetBucketMetadataTableConfiguration "
    "GetBucketNotificationConfiguration=GetBucketNotification "
    "GetObjectLockConfiguration=GetBucketObjectLockConfiguration GetPublicAccessBlock=GetBucketPublicAccessBlock "
    "HeadBucket=ListBucket ListMultipartUploads=ListBucketMultipartUploads ListObjectVersions=ListBucketVersions "
    "ListObjects=ListBucket ListObjectsV2=ListBucket "
    "PutBucketNotificationConfiguration=PutBucketNotification "
    "PutObjectLockConfiguration=PutBucketObjectLockConfiguration PutPublicAccessBlock=PutBucketPublicAccessBlock "
    "DeletePublicAccessBlock=PutBucketPublicAccessBlock"
)
_CONFIGURATIONS: Final = (
    "GetBucketAccelerateConfiguration=GetAccelerateConfiguration "
    "GetBucketAnalyticsConfiguration=GetAnalyticsConfiguration "
    "GetBucketCors=GetBucketCORS GetBucketEncryption=GetEncryptionConfiguration "
    "GetBucketIntelligentTieringConfiguration=GetIntelligentTieringConfiguration "
    "GetBucketInventoryConfiguration=GetInventoryConfiguration GetBucketLifecycle=GetLifecycleConfiguration "
    "GetBucketLifecycleConfiguration=GetLifecycleConfiguration GetBucketMetricsConfiguration=GetMetricsConfiguration "
    "GetBucketReplication=GetReplicationConfiguration "
    "ListBucketAnalyticsConfigurations=GetAnalyticsConfiguration "
    "ListBucketIntelligentTieringConfigurations=GetIntelligentTieringConfiguration "
    "ListBucketInventoryConfigurations=GetInventoryConfiguration "
    "ListBucketMetricsConfigurations=GetMetricsConfiguration "
    "PutBucketAccelerateConfiguration=PutAccelerateConfiguration "
    "PutBucketAnalyticsConfiguration=PutAnalyticsConfiguration PutBucketCors=PutBucketCORS "
    "PutBucketEncryption=PutEncryptionConfiguration "
    "PutBucketIntelligentTieringConfiguration=PutIntelligentTieringConfiguration "
    "PutBucketInventoryConfiguration=PutInventoryConfiguration PutBucketLifecycle=PutLifecycleConfiguration "
    "PutBucketLifecycleConfiguration=PutLifecycleConfiguration PutBucketMetricsConfiguration=PutMetricsConfiguration "
    "DeleteBucketAnalyticsConfiguration=PutAnalyticsConfiguration DeleteBucketCors=PutBucketCORS "
    "DeleteBucketEncryption=PutEncryptionConfiguration "
    "DeleteBucketIntelligentTieringConfiguration=PutIntelligentTieringConfiguration "
    "DeleteBucketInventoryConfiguration=PutInventoryConfiguration DeleteBucketLifecycle=PutLifecycleConfiguration "
    "DeleteBucketMetricsConfiguration=PutMetricsConfiguration DeleteBucketReplication=PutReplicationConfiguration"
)


def _table_bucket(_params: Params, place: Place) -> Iterator[str]:
    """Return the table bucket in which S3 keeps the metadata tables of an account."""
    yield f"arn:{place.partition}:s3tables:{place.region}:{place.account}:bucket/aws-s3"


def _tables(_params: Params, place: Place) -> Iterator[str]:
    yield f"arn:{place.partition}:s3tables:{place.region}:{place.account}:bucket/aws-s3/table/{UNKNOWN}"


_MAKES_TABLES: Final = (
    *(Need(f"s3tables:{name}", _table_bucket) for name in ("CreateTableBucket", "CreateNamespace")),
    *(Need(f"s3tables:{name}", _tables) for name in ("GetTable", "CreateTable", "PutTablePolicy")),
)

TABLE: Final[Rows] = merged(
    _S3.each(f"{_OWN_NAMES} {_OTHER_NAMES} {_CONFIGURATIONS}", _BUCKET),
    _S3.each(
        "CreateBucket",
        _BUCKET,
        more=(
            Need("s3:PutBucketAcl", _BUCKET, _GRANTS),
            Need("s3:PutBucketObjectLockConfiguration", _BUCKET, says("ObjectLockEnabledForBucket", value=True)),
            Need("s3:PutBucketVersioning", _BUCKET, says("ObjectLockEnabledForBucket", value=True)),
            Need("s3:PutBucketOwnershipControls", _BUCKET, given("ObjectOwnership")),
            Need("s3:TagResource", _BUCKET, given("CreateBucketConfiguration.Tags[]")),
        ),
    ),
    _S3.each("PutBucketReplication=PutReplicationConfiguration", _BUCKET, more=passes("ReplicationConfiguration.Role")),
    _S3.each(
        "CreateBucketMetadataConfiguration=CreateBucketMetadataTableConfiguration "
        "UpdateBucketMetadataAnnotationTableConfiguration UpdateBucketMetadataInventoryTableConfiguration "
        "UpdateBucketMetadataJournalTableConfiguration",
        _BUCKET,
        more=_MAKES_TABLES,
    ),
    # The older form names its table bucket itself, anywhere.
    _S3.each(
        "CreateBucketMetadataTableConfiguration",
        _BUCKET,
        more=tuple(
            Need(f"s3tables:{name}", lambda _params, _place: iter((UNKNOWN,)))
            for name in ("CreateNamespace", "GetTable", "CreateTable", "PutTablePolicy")
        ),
    ),
    _S3.each("ListBuckets=ListAllMyBuckets", anything),
    _S3.row("ListDirectoryBuckets", Need("s3express:ListAllMyDirectoryBuckets")),
    # The route stands for an access point, and nothing but S3 can read it.
    _S3.row("WriteGetObjectResponse", Need("s3-object-lambda:WriteGetObjectResponse", _TRANSFORMING.some())),
    _S3.refused(
        "CreateSession RenameObject",
        "directory buckets are not served: their sessions are credentials of their own",
        fix="use a general purpose bucket",
    ),
)
