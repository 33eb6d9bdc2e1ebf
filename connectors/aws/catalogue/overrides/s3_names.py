"""Names of S3: buckets, objects, access points and sources of copies.

An access point stands in front of a bucket that the request does not name, and S3 asks for permission on both; so each
use of one needs the pair on the access point and the pair on an unknown bucket. Names that stand for other things than
a bucket of that name (aliases, directory buckets, Outposts, multi-Region access points) are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote, unquote_plus

from connectors.aws.catalogue.overrides.kinds import Kind, Resources, Scope, read_arn
from connectors.aws.catalogue.overrides.values import found, shown, text
from connectors.aws.catalogue.place import UNKNOWN, Params, Place
from connectors.errors import InvalidParamsError

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
"""Old buckets of us-east-1 may be long and have capitals and underscores; none has `*`, `/` or `:`."""
_ALIASES: Final = ("-s3alias", "--ol-s3", ".mrap", "--op-s3")
_DIRECTORY: Final = ("--x-s3", "--table-s3")
_POINT: Final = re.compile(r"accesspoint[/:](?P<name>[a-z0-9-]{3,63})")
_POINT_OBJECT: Final = re.compile(r"(?P<point>arn:[^/]+[/:][^/]+)/object/(?P<key>.+)", re.DOTALL)
_VERSION: Final = re.compile(r"\?versionId=(?P<version>[^&]*)$")

BUCKET: Final = Kind("s3", "{}", Scope.BARE)


def buckets(path: str = "Bucket") -> Resources:
    """Return the buckets at a path."""

    def resources(params: Params, place: Place) -> Iterator[str]:
        for value in found(params, path):
            yield from _bucket(value, place, path)

    return resources


def objects(bucket: str = "Bucket", key: str = "Key") -> Resources:
    """Return the objects that a bucket and the keys at a path make."""

    def resources(params: Params, place: Place) -> Iterator[str]:
        for value in found(params, key) or [None]:
            yield from read_object(params.get(bucket), value, place, key)

    return resources


def sources(params: Params, place: Place) -> Iterator[str]:
    """Return what ``CopySource`` names."""
    for bucket, key, _version in _read_source(params.get("CopySource")):
        yield from read_object(bucket, key, place, "CopySource")


def source_has_version(params: Params) -> bool:
    """Tell whether ``CopySource`` names a version."""
    return any(version for _bucket_name, _key, version in _read_source(params.get("CopySource")))


def _bucket(value: object, place: Place, path: str) -> Iterator[str]:
    name = UNKNOWN if value is None or value == "" else text(value, path)
    point = _access_point(name, path)
    yield from [point, BUCKET.named(place, UNKNOWN)] if point else [BUCKET.named(place, _checked(name, path))]


def read_object(bucket: object, key: object, place: Place, path: str) -> Iterator[str]:
    """Return one object, and behind an access point the same key in a bucket nobody named.

    Args:
        bucket: Name, or ARN of an access point.
        key: Literal, whatever it looks like.
        place: Where the call goes.
        path: Of the param that holds the key.
    """
    name = UNKNOWN if bucket is None or bucket == "" else text(bucket, "Bucket")
    tail = UNKNOWN if key is None or key == "" else text(key, path)
    point = _access_point(name, "Bucket")
    if point:
        yield f"{point}/object/{tail}"
    yield BUCKET.named(place, UNKNOWN if point else _checked(name, "Bucket")) + f"/{tail}"


def _access_point(name: str, path: str) -> str:
    """Return the ARN of an access point in its one spelling; empty for a bucket."""
    arn = read_arn(name, path)
    if arn is None:
        return ""
    match = _POINT.fullmatch(arn.rest)
    if arn.service != "s3" or arn.scope is not Scope.REGIONAL or match is None:
        raise InvalidParamsError(
            f"`{path}` is `{shown(name)}`", fix="a bucket by its name, or an access point by its ARN; nothing else"
        )
    return f"{arn.head}accesspoint/{match['name']}"


def _checked(name: str, path: str) -> str:
    if name == UNKNOWN:
        return name
    if name.endswith(_DIRECTORY):
        raise InvalidParamsError(f"`{path}` is `{shown(name)}`", fix="directory and table buckets are not served")
    if _NAME.fullmatch(name) is None or name.endswith(_ALIASES):
        raise InvalidParamsError(f"`{path}` is `{shown(name)}`", fix="a bucket, or an access point by its ARN")
    return name


def _read_source(value: Any) -> list[tuple[str, str, bool]]:  # noqa: ANN401 - a structure or a header's text
    """Return bucket, key and whether there is a version, once for each way to read the source.

    As text it may be percent-encoded already or not yet, and nothing in it says which; where that makes a difference
    every reading is returned, so that each must be allowed.
    """
    if isinstance(value, Mapping):
        return [(text(value.get("Bucket"), "CopySource"), text(value.get("Key"), "CopySource"), "VersionId" in value)]
    if not isinstance(value, str):
        raise InvalidParamsError("`CopySource` must be a structure or text")
    version = _VERSION.search(value)
    plain = value[: version.start()] if version else value
    readings = dict.fromkeys((plain, unquote(plain), unquote_plus(plain)))
    return [(*_split(text(reading, "CopySource")), version is not None) for reading in readings]


def _split(source: str) -> tuple[str, str]:
    path = source.removeprefix("/")
    match = _POINT_OBJECT.fullmatch(path)
    bucket, _, key = path.partition("/")
    if match is not None:
        bucket, key = match["point"], match["key"]
    if not bucket or not key:
        raise InvalidParamsError(f"`CopySource` is `{shown(source)}`", fix="as `bucket/key`")
    return bucket, key
