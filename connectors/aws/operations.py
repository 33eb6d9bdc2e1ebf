"""The table of S3 operations: which params are accepted, what they need allowed, and the catalogue rows made of it.

A param that is not in ``accepts`` is refused, so every param that reaches S3 is in the plan and had its say in the
requirements. Left out on purpose: keys of customers (``SSECustomerKey``), KMS keys, grants, object lock, request payer.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from connectors.aws.model import member_shape, operation_model
from connectors.base import Access, JsonObject, Operation

MAX_KEY_BYTES: Final = 1024
"""UTF-8 bytes of an object key, Amazon S3 User Guide, "Naming objects"."""
MAX_TEXT: Final = 2048
"""Characters of any other text param; S3 takes 8 KB of headers at most."""
BUCKET_PATTERN: Final = r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"
RANGES: Final[dict[str, tuple[int, int]]] = {"MaxKeys": (0, 1000), "PartNumber": (1, 10_000)}
"""Smallest and largest value of the integer params."""


class Target(StrEnum):
    """What a requirement is about; the value is its resource template."""

    OBJECT = "arn:{partition}:s3:::{Bucket}/{Key}"
    BUCKET = "arn:{partition}:s3:::{Bucket}"
    SOURCE = "arn:{partition}:s3:::{CopySource.Bucket}/{CopySource.Key}"


@dataclass(frozen=True, slots=True)
class Need:
    """One requirement of an operation.

    Args:
        action: IAM action.
        target: What it is about.
        when: Path of a param that must be given for it to apply; empty for always.
        equals: Value that param must have; empty for any.
    """

    action: str
    target: Target
    when: tuple[str, ...] = ()
    equals: str = ""

    def applies(self, params: JsonObject) -> bool:
        """Return whether these params need it."""
        value: Any = params
        for name in self.when:
            if not isinstance(value, dict) or name not in value:
                return False
            value = value[name]
        return not self.equals or value == self.equals


@dataclass(frozen=True, slots=True)
class Spec:
    """One S3 operation.

    Args:
        name: API name.
        access: What it does.
        idempotent: True when twice is the same as once, on versioned buckets too.
        summary: One line for people.
        verb: First word of a plan's summary.
        needs: Its requirements.
        accepts: Accepted params; ``Region`` comes on top.
        example: Params that plan.
        fixed: Members we set ourselves.
        root: Element the answer's document must be; empty when it has none.
    """

    name: str
    access: Access
    idempotent: bool
    summary: str
    verb: str
    needs: tuple[Need, ...]
    accepts: frozenset[str]
    example: JsonObject
    fixed: tuple[tuple[str, str], ...] = ()
    root: str = ""

    @property
    def action(self) -> str:
        """Canonical action."""
        return f"s3:{self.name}"

    @property
    def required(self) -> list[str]:
        """Params that must be given."""
        return list(operation_model(self.name).input_shape.required_members)


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_READ: Final = _names(
    "Bucket Key ExpectedBucketOwner IfMatch IfModifiedSince IfNoneMatch IfUnmodifiedSince "
    "Range VersionId PartNumber ChecksumMode"
)
_CONTENT: Final = "CacheControl ContentDisposition ContentEncoding ContentLanguage ContentType Metadata StorageClass"
_WRITE: Final = f"Bucket Key ExpectedBucketOwner IfMatch IfNoneMatch ACL Tagging {_CONTENT}"

# A version id needs both actions, unlike IAM: `VersionId=null` names the current object of an unversioned bucket, and a
# deny of s3:GetObject must not be passed that way.
_READ_NEEDS: Final = (
    Need("s3:GetObject", Target.OBJECT),
    Need("s3:GetObjectVersion", Target.OBJECT, ("VersionId",)),
)
_WRITE_NEEDS: Final = (
    Need("s3:PutObject", Target.OBJECT),
    Need("s3:PutObjectAcl", Target.OBJECT, ("ACL",)),
    Need("s3:PutObjectTagging", Target.OBJECT, ("Tagging",)),
)

SPECS: Final[tuple[Spec, ...]] = (
    Spec(
        name="GetObject",
        access=Access.READ,
        idempotent=True,
        summary="Read an object",
        verb="get",
        needs=_READ_NEEDS,
        accepts=_READ,
        example={"Bucket": "data-lake", "Key": "raw/2026/report.csv"},
    ),
    Spec(
        name="HeadObject",
        access=Access.READ,
        idempotent=True,
        summary="Read the size, type and metadata of an object",
        verb="look at",
        needs=_READ_NEEDS,
        accepts=_READ,
        example={"Bucket": "data-lake", "Key": "raw/2026/report.csv"},
    ),
    Spec(
        name="ListObjectsV2",
        access=Access.READ,
        idempotent=True,
        summary="List the objects of a bucket",
        verb="list",
        needs=(Need("s3:ListBucket", Target.BUCKET),),
        accepts=_names("Bucket ContinuationToken Delimiter ExpectedBucketOwner FetchOwner MaxKeys Prefix StartAfter"),
        example={"Bucket": "data-lake", "Prefix": "raw/", "MaxKeys": 100},
        # Keys may hold characters that XML cannot; the answer is decoded again before it is handed back.
        fixed=(("EncodingType", "url"),),
        root="ListBucketResult",
    ),
    Spec(
        name="PutObject",
        access=Access.WRITE,
        idempotent=False,
        summary="Write an object; Body is base64",
        verb="put",
        needs=_WRITE_NEEDS,
        accepts=_names(f"{_WRITE} Body ServerSideEncryption"),
        example={"Bucket": "data-lake", "Key": "out/hello.txt", "Body": "aGVsbG8=", "ContentType": "text/plain"},
    ),
    Spec(
        name="CopyObject",
        access=Access.WRITE,
        idempotent=False,
        summary="Copy an object; tags are copied only with TaggingDirective=COPY",
        verb="copy",
        needs=(
            Need("s3:GetObject", Target.SOURCE),
            Need("s3:GetObjectVersion", Target.SOURCE, ("CopySource", "VersionId")),
            Need("s3:GetObjectTagging", Target.SOURCE, ("TaggingDirective",), "COPY"),
            *_WRITE_NEEDS,
            Need("s3:PutObjectTagging", Target.OBJECT, ("TaggingDirective",), "COPY"),
        ),
        accepts=_names(
            f"{_WRITE} CopySource CopySourceIfMatch CopySourceIfModifiedSince CopySourceIfNoneMatch "
            "CopySourceIfUnmodifiedSince ExpectedSourceBucketOwner MetadataDirective TaggingDirective "
            "ServerSideEncryption"
        ),
        example={
            "Bucket": "data-lake",
            "Key": "out/report.csv",
            "CopySource": {"Bucket": "data-lake", "Key": "raw/2026/report.csv"},
        },
        # S3 copies the tags of the source unless told otherwise, which needs two more actions; so it is told otherwise.
        fixed=(("TaggingDirective", "REPLACE"),),
        root="CopyObjectResult",
    ),
    Spec(
        name="DeleteObject",
        access=Access.DESTROY,
        idempotent=False,
        summary="Delete an object",
        verb="delete",
        needs=(
            Need("s3:DeleteObject", Target.OBJECT),
            Need("s3:DeleteObjectVersion", Target.OBJECT, ("VersionId",)),
        ),
        accepts=_names("Bucket Key VersionId IfMatch ExpectedBucketOwner"),
        example={"Bucket": "data-lake", "Key": "out/hello.txt"},
    ),
)
BY_ACTION: Final[dict[str, Spec]] = {spec.action: spec for spec in SPECS}
BY_NAME: Final[dict[str, Spec]] = {spec.name: spec for spec in SPECS}

_ENCRYPTION: Final = ["AES256"]
"""Any other value uses a KMS key, which would need actions on that key."""


def catalogue_row(spec: Spec) -> Operation:
    """Return the catalogue row of an operation; its schema comes from botocore's shapes."""
    properties = {name: param_schema(spec.name, name) for name in sorted(spec.accepts)}
    properties["Region"] = {"type": "string", "description": "one of the connection's regions; its first by default"}
    targets = dict.fromkeys(need.target.replace("{partition}", "aws") for need in spec.needs)
    return Operation(
        action=spec.action,
        access=spec.access,
        idempotent=spec.idempotent,
        summary=spec.summary,
        resources=tuple(targets),
        permissions=tuple(dict.fromkeys(need.action for need in spec.needs)),
        params_schema={
            "type": "object",
            "properties": properties,
            "required": spec.required,
            "additionalProperties": False,
        },
        example=spec.example,
    )


def param_schema(operation: str, name: str) -> JsonObject:
    """Return the JSON Schema of one accepted param."""
    if name == "CopySource":
        parts = {part: param_schema("GetObject", part) for part in ("Bucket", "Key", "VersionId")}
        return {"type": "object", "properties": parts, "required": ["Bucket", "Key"], "additionalProperties": False}
    shape = member_shape(operation, name)
    match shape.type_name:
        case "string":
            return _text_schema(name, list(shape.enum))
        case "timestamp":
            return {"type": "string", "format": "date-time"}
        case "blob":
            return {"type": "string", "contentEncoding": "base64"}
        case "boolean":
            return {"type": "boolean"}
        case "integer":
            low, high = RANGES[name]
            return {"type": "integer", "minimum": low, "maximum": high}
        case "map":
            return {"type": "object", "additionalProperties": {"type": "string", "maxLength": MAX_TEXT}}
        case other:
            raise AssertionError(f"no schema for shape type {other}")


def _text_schema(name: str, allowed: list[str]) -> JsonObject:
    if name == "Bucket":
        return {"type": "string", "pattern": BUCKET_PATTERN}
    if name == "ServerSideEncryption":
        return {"type": "string", "enum": _ENCRYPTION}
    if allowed:
        return {"type": "string", "enum": allowed}
    low = 0 if name == "Prefix" else 1
    return {"type": "string", "minLength": low, "maxLength": MAX_KEY_BYTES if name == "Key" else MAX_TEXT}
