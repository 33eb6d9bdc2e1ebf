"""What is special about S3: bucket names, sources of copies, enums that requirements depend on, keys of any letters.

Object keys stay literal: ``*``, ``../`` and look-alike letters are just characters of one key. Only control characters
and lone surrogates are refused there, because neither XML nor a person can tell them apart.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import quote, unquote_plus

from connectors.aws.connection import DNS_SUFFIXES
from connectors.aws.model import ApiOperation
from connectors.aws.words import json_type, refuse_controls, shown
from connectors.base import JsonObject
from connectors.errors import InvalidParamsError

NAME: Final = "s3"
MAX_KEY_BYTES: Final = 1024
"""UTF-8 bytes of an object key, Amazon S3 User Guide, "Naming objects"."""
MAX_TEXT: Final = 2048
"""Characters of any other text outside the body; S3 takes 8 KB of headers at most."""
BUCKET_PATTERN: Final = r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"
RANGES: Final[dict[str, tuple[int, int]]] = {"MaxKeys": (0, 1000), "PartNumber": (1, 10_000)}
"""Smallest and largest value of some integer params."""
ROOTS: Final[dict[str, str]] = {
    "ListObjects": "ListBucketResult",
    "ListObjectsV2": "ListBucketResult",
    "ListObjectVersions": "ListVersionsResult",
    "CopyObject": "CopyObjectResult",
    "UploadPartCopy": "CopyPartResult",
    "CreateMultipartUpload": "InitiateMultipartUploadResult",
    "CompleteMultipartUpload": "CompleteMultipartUploadResult",
    "ListMultipartUploads": "ListMultipartUploadsResult",
    "ListParts": "ListPartsResult",
    "DeleteObjects": "DeleteResult",
    "ListBuckets": "ListAllMyBucketsResult",
}
"""Element an answer's document must be; the models do not say."""
REFUSED_MEMBERS: Final = frozenset(
    {
        *(f"{prefix}SSECustomer{part}" for prefix in ("", "CopySource") for part in ("Algorithm", "Key", "KeyMD5")),
        "MFA",
    }
)
"""Secrets of the customer, which have no place in params, digests and the ledger."""
REFUSED: Final[dict[str, str]] = {
    "CreateSession": "it returns credentials of a directory bucket",
    "ListDirectoryBuckets": "directory buckets are not served",
    "WriteGetObjectResponse": "only a function behind an Object Lambda access point can call it",
}
"""Operations that are not served, and why."""
_BUCKET: Final = re.compile(BUCKET_PATTERN)
_BAD_BUCKET_STARTS: Final = ("xn--", "sthree-", "amzn-s3-demo-")
_BAD_BUCKET_ENDS: Final = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
"""Aliases, directory buckets and the like: they resolve to other things than a bucket of that name."""
_MAX_META_BYTES: Final = 2048
"""All user metadata of an object, names and values, Amazon S3 User Guide, "Working with object metadata"."""
_UNRESERVED: Final = "-_.~"
"""RFC 3986 2.3; what SigV4 leaves unencoded besides letters and digits."""
_LOCATION: Final = re.compile(rb"<LocationConstraint[^>]*>([A-Za-z0-9-]+)</LocationConstraint>")
_ACCOUNT: Final = re.compile(r"[0-9]{12}")
_RANGE: Final = re.compile(r"bytes=([0-9]{1,19}-[0-9]{0,19}|-[0-9]{1,19})")
_FORMS: Final[dict[str, tuple[re.Pattern[str], str]]] = {
    "Range": (_RANGE, "one byte range as `bytes=0-1023`"),
    "ExpectedBucketOwner": (_ACCOUNT, "an account id of 12 digits"),
    "ExpectedSourceBucketOwner": (_ACCOUNT, "an account id of 12 digits"),
}
_LISTINGS: Final = frozenset({"ListObjects", "ListObjectsV2", "ListObjectVersions"})
_COPIES: Final = frozenset({"CopyObject", "UploadPartCopy"})
_LISTED_TEXTS: Final = ("Prefix", "Delimiter", "StartAfter", "Marker", "NextMarker", "KeyMarker", "NextKeyMarker")
_LISTED_NAMES: Final = (
    ("Contents", "Key"),
    ("Versions", "Key"),
    ("DeleteMarkers", "Key"),
    ("CommonPrefixes", "Prefix"),
    ("Uploads", "Key"),
)


def is_copy(api: ApiOperation) -> bool:
    """Tell whether an operation has a source."""
    return api.service == NAME and api.name in _COPIES


def target_of(options: JsonObject, region: str, bucket: str) -> tuple[str, bool]:
    """Return the origin a bucket is reached at, and whether its name is in the path.

    An explicit endpoint is path-style. On AWS the bucket is in the host, except when its dots would break the
    wildcard certificate.

    Args:
        options: Options of the connection.
        region: Region of the call.
        bucket: Checked name; empty for an operation without one.
    """
    endpoint = options.get("endpoint")
    if endpoint is not None:
        return str(endpoint), True
    suffix = DNS_SUFFIXES[str(options.get("partition", "aws"))]
    if not bucket or "." in bucket:
        return f"https://s3.{region}.{suffix}", True
    return f"https://{bucket}.s3.{region}.{suffix}", False


def check_bucket(value: str) -> None:
    """Refuse what is not the plain name of a general purpose bucket.

    Raises:
        InvalidParamsError: it is not.
    """
    wrong = (
        _BUCKET.fullmatch(value) is None
        or ".." in value
        or ".-" in value
        or "-." in value
        or value.startswith(_BAD_BUCKET_STARTS)
        or value.endswith(_BAD_BUCKET_ENDS)
        or _is_address(value)
    )
    if wrong:
        raise InvalidParamsError(
            f"`{shown(value)}` is not a bucket name",
            fix="3 to 63 lower-case letters, digits, dots and hyphens; no ARN, no access point, no alias",
        )


def check_copy_source(api: ApiOperation, value: Any) -> JsonObject:  # noqa: ANN401 - JSON as received
    """Return the source of a copy in canonical form.

    Raises:
        InvalidParamsError: it is not an object of a bucket, a key and perhaps a version.
    """
    if type(value) is not dict:
        raise InvalidParamsError(
            f"`CopySource` must be an object, found {json_type(value)}",
            fix='as {"Bucket": "…", "Key": "…", "VersionId": "…"}; text forms are ambiguous about encoding',
        )
    if not {"Bucket", "Key"} <= value.keys() <= {"Bucket", "Key", "VersionId"}:
        raise InvalidParamsError("`CopySource` has `Bucket` and `Key`, and may have `VersionId`, and nothing else")
    for name, part in value.items():
        if type(part) is not str:
            raise InvalidParamsError(f"`CopySource.{name}` must be a string, found {json_type(part)}")
        if name != "Bucket":
            refuse_controls(name, part)
        check_member(api, name, part)
    return dict(sorted(value.items()))


def copy_source_text(source: JsonObject) -> str:
    """Return the source of a copy as its header says it."""
    version = f"?versionId={quote(source['VersionId'], safe=_UNRESERVED)}" if "VersionId" in source else ""
    return quote(f"{source['Bucket']}/{source['Key']}", safe=f"/{_UNRESERVED}") + version


def check_member(api: ApiOperation, name: str, value: Any) -> None:  # noqa: ANN401 - canonical JSON
    """Refuse what S3 would read otherwise than policy does.

    Args:
        api: An operation of S3.
        name: Input member.
        value: Its canonical value.

    Raises:
        InvalidParamsError: it must not be sent.
    """
    if name == "Bucket":
        check_bucket(value)
    elif name == "Metadata":
        _check_metadata(value)
    elif isinstance(value, str):
        _check_text(api, name, value)
    elif name in RANGES:
        low, high = RANGES[name]
        if not low <= value <= high:
            raise InvalidParamsError(f"`{name}` must be from {low} to {high}, found {value}")


def check_together(params: JsonObject) -> None:
    """Refuse params that contradict each other.

    Raises:
        InvalidParamsError: they do.
    """
    if params.get("TaggingDirective") == "COPY" and "Tagging" in params:
        raise InvalidParamsError("`Tagging` and `TaggingDirective=COPY` contradict each other")


def set_members(api: ApiOperation) -> dict[str, str]:
    """Return params that are set when the caller does not, before policy looks.

    S3 copies the tags of the source unless told otherwise, which needs two more actions; so it is told otherwise.
    """
    return {"TaggingDirective": "REPLACE"} if api.name == "CopyObject" else {}


def fixed_members(api: ApiOperation) -> dict[str, str]:
    """Return members that change nothing but the form of the answer.

    Keys may hold characters that XML cannot; the answer is decoded again before it is handed back.
    """
    return {"EncodingType": "url"} if api.name in _LISTINGS else {}


def mend(api: ApiOperation, parsed: dict[str, Any], document: bytes) -> None:
    """Mend a parsed answer in place: names of a listing are decoded, and the one root without a member is read.

    Args:
        api: An operation of S3.
        parsed: What botocore's parser made of it.
        document: The answer.
    """
    if api.name == "GetBucketLocation":
        # The constraint is the text of the root itself; it is empty for us-east-1.
        match = _LOCATION.search(document)
        parsed["LocationConstraint"] = match.group(1).decode() if match else ""
    if parsed.pop("EncodingType", None) != "url":
        return
    for name in _LISTED_TEXTS:
        if name in parsed:
            parsed[name] = unquote_plus(parsed[name])
    for entry, name in _LISTED_NAMES:
        for item in parsed.get(entry, ()):
            if name in item:
                item[name] = unquote_plus(item[name])


def _check_metadata(value: JsonObject) -> None:
    total = sum(len(name) + len(text) for name, text in value.items())
    if total > _MAX_META_BYTES:
        raise InvalidParamsError(f"`Metadata` must have at most {_MAX_META_BYTES} bytes, found {total}")


def _check_text(api: ApiOperation, name: str, value: str) -> None:
    shape = api.members.get(name)
    if shape is not None and shape.serialization.get("location") is None:
        return
    if name == "Key" and len(value.encode("utf-8", "surrogatepass")) > MAX_KEY_BYTES:
        raise InvalidParamsError(f"`Key` must have at most {MAX_KEY_BYTES} bytes in UTF-8")
    low, high = (0 if name in _LISTED_TEXTS else 1), (MAX_KEY_BYTES if name == "Key" else MAX_TEXT)
    if not low <= len(value) <= high:
        raise InvalidParamsError(f"`{name}` must have {low} to {high} characters, found {len(value)}")
    allowed = getattr(shape, "enum", ())
    if allowed and value not in allowed:
        # Requirements depend on some of them, and S3 may be laxer about their spelling than policy is.
        raise InvalidParamsError(f"`{name}` is `{shown(value)}`", fix=f"one of {', '.join(allowed)}")
    pattern, words = _FORMS.get(name, (None, ""))
    if pattern is not None and pattern.fullmatch(value) is None:
        raise InvalidParamsError(f"`{name}` must be {words}, found `{shown(value)}`")


def _is_address(value: str) -> bool:
    """Tell whether a name is an IPv4 address; one of IPv6 has colons, which no bucket has."""
    if not value.replace(".", "").isdecimal():
        return False
    try:
        ip_address(value)
    except ValueError:
        return False
    return True
