"""S3 operations on objects.

With a version id both the action on the object and the one on its versions are needed, unlike IAM: ``VersionId=null``
names the current object of an unversioned bucket, and a deny of ``s3:GetObject`` must not be passed that way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from connectors.aws.catalogue.overrides.kinds import Resources
from connectors.aws.catalogue.overrides.kms import uses_key
from connectors.aws.catalogue.overrides.s3_names import objects, read_object, source_has_version, sources
from connectors.aws.catalogue.overrides.table import Need, Rows, Service, merged
from connectors.aws.catalogue.overrides.values import Test, found, given, says
from connectors.aws.catalogue.place import UNKNOWN, Params, Place

_S3: Final = Service("s3", "s3")
_OBJECT: Final = objects()
_VERSION: Final = given("VersionId")


def _versioned(action: str, of_version: str) -> tuple[Need, ...]:
    return Need(f"s3:{action}", _OBJECT), Need(f"s3:{of_version}", _OBJECT, _VERSION)


def _tags_are_copied(params: Params) -> bool:
    """Tell whether S3 copies the tags of the source, which it does unless told otherwise."""
    return "REPLACE" not in found(params, "TaggingDirective")


def _tags_of_version_are_copied(params: Params) -> bool:
    return _tags_are_copied(params) and source_has_version(params)


def _tags_are_written(params: Params) -> bool:
    return _tags_are_copied(params) or given("Tagging")(params)


def _listed(*, versions_only: bool = False) -> Resources:
    """Return the objects that ``DeleteObjects`` lists, or those of them of which it names a version."""

    def resources(params: Params, place: Place) -> Iterator[str]:
        for item in found(params, "Delete.Objects[]"):
            entry = item or {}
            if not versions_only or entry.get("VersionId") is not None:
                yield from read_object(params.get("Bucket"), entry.get("Key"), place, "Delete.Objects[].Key")

    return resources


def _selected(params: Params, place: Place) -> Iterator[str]:
    """Return where a restore writes what it selects; how its keys begin is all the request says."""
    for target in found(params, "RestoreRequest.OutputLocation.S3"):
        bucket, prefix = (None, None) if target is None else (target.get("BucketName"), target.get("Prefix"))
        for resource in read_object(bucket, prefix, place, "RestoreRequest.OutputLocation.S3.Prefix"):
            yield f"{resource.removesuffix(UNKNOWN)}{UNKNOWN}"


_BYPASS: Final[Test] = says("BypassGovernanceRetention", value=True)
_BYPASSES: Final = Need("s3:BypassGovernanceRetention", _OBJECT, _BYPASS)
_PUT: Final = Need("s3:PutObject", _OBJECT)
_ACL: Final = Need(
    "s3:PutObjectAcl", _OBJECT, given("ACL", "GrantFullControl", "GrantRead", "GrantReadACP", "GrantWriteACP")
)
_LOCKS: Final = (
    Need("s3:PutObjectRetention", _OBJECT, given("ObjectLockMode", "ObjectLockRetainUntilDate")),
    Need("s3:PutObjectLegalHold", _OBJECT, given("ObjectLockLegalHoldStatus")),
)
_TAGS: Final = Need("s3:PutObjectTagging", _OBJECT, given("Tagging"))
_SOURCE: Final = (Need("s3:GetObject", sources), Need("s3:GetObjectVersion", sources, source_has_version))
_KEY: Final = uses_key("SSEKMSKeyId", "GenerateDataKey")
_KEY_OF_PARTS: Final = uses_key("SSEKMSKeyId", "GenerateDataKey", "Decrypt")

_READS: Final[Rows] = merged(
    *(_S3.row(name, *_versioned("GetObject", "GetObjectVersion")) for name in ("GetObject", "HeadObject")),
    _S3.row("GetObjectAcl", *_versioned("GetObjectAcl", "GetObjectVersionAcl")),
    _S3.row("GetObjectTagging", *_versioned("GetObjectTagging", "GetObjectVersionTagging")),
    _S3.row("GetObjectTorrent", *_versioned("GetObjectTorrent", "GetObjectVersionTorrent")),
    _S3.row("GetObjectAnnotation", *_versioned("GetObjectAnnotation", "GetObjectVersionAnnotation")),
    _S3.row("ListObjectAnnotations", *_versioned("ListObjectAnnotations", "ListObjectVersionAnnotations")),
    _S3.row(
        "GetObjectAttributes",
        *_versioned("GetObject", "GetObjectVersion"),
        *_versioned("GetObjectAttributes", "GetObjectVersionAttributes"),
    ),
    _S3.each("GetObjectLegalHold GetObjectRetention", _OBJECT),
    _S3.each("SelectObjectContent=GetObject ListParts=ListMultipartUploadParts", _OBJECT),
)

_WRITES: Final[Rows] = merged(
    _S3.row("PutObject", _PUT, _ACL, _TAGS, *_LOCKS, *_KEY),
    _S3.row("CreateMultipartUpload", _PUT, _ACL, _TAGS, *_LOCKS, *_KEY_OF_PARTS),
    _S3.each("UploadPart=PutObject CompleteMultipartUpload=PutObject AbortMultipartUpload", _OBJECT),
    _S3.row("UploadPartCopy", *_SOURCE, _PUT),
    _S3.row(
        "CopyObject",
        *_SOURCE,
        Need("s3:GetObjectTagging", sources, _tags_are_copied),
        Need("s3:GetObjectVersionTagging", sources, _tags_of_version_are_copied),
        _PUT,
        _ACL,
        Need("s3:PutObjectTagging", _OBJECT, _tags_are_written),
        *_LOCKS,
        *_KEY,
    ),
    _S3.row("PutObjectAcl", *_versioned("PutObjectAcl", "PutObjectVersionAcl")),
    _S3.row("PutObjectTagging", *_versioned("PutObjectTagging", "PutObjectVersionTagging")),
    _S3.row("PutObjectAnnotation", *_versioned("PutObjectAnnotation", "PutObjectVersionAnnotation")),
    _S3.each("PutObjectRetention", _OBJECT, more=(_BYPASSES,)),
    _S3.each("PutObjectLegalHold", _OBJECT),
    # What a restored object's select writes goes to a bucket the request names.
    _S3.row(
        "RestoreObject",
        Need("s3:RestoreObject", _OBJECT),
        Need("s3:PutObject", _selected, given("RestoreRequest.OutputLocation.S3")),
    ),
    _S3.each(
        "UpdateObjectEncryption",
        _OBJECT,
        more=uses_key("ObjectEncryption.SSEKMS.KMSKeyArn", "GenerateDataKey", "Decrypt"),
    ),
)

_DELETES: Final[Rows] = merged(
    _S3.row("DeleteObject", *_versioned("DeleteObject", "DeleteObjectVersion"), _BYPASSES),
    _S3.row(
        "DeleteObjects",
        Need("s3:DeleteObject", _listed()),
        Need("s3:DeleteObjectVersion", _listed(versions_only=True)),
        Need("s3:BypassGovernanceRetention", _listed(), _BYPASS),
    ),
    _S3.row("DeleteObjectTagging", *_versioned("DeleteObjectTagging", "DeleteObjectVersionTagging")),
    _S3.row("DeleteObjectAnnotation", *_versioned("DeleteObjectAnnotation", "DeleteObjectVersionAnnotation")),
)

TABLE: Final[Rows] = merged(_READS, _WRITES, _DELETES)
