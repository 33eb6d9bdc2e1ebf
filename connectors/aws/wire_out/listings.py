"""S3's listings with names percent-encoded, as clients ask for them: XML cannot hold every name a key may have."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote_plus

from connectors.aws.wire_in.services import S3
from connectors.base import JsonObject

ENCODING: Final = "EncodingType"
_ENCODED: Final = "url"
_LISTINGS: Final = frozenset({"ListObjects", "ListObjectsV2", "ListObjectVersions", "ListMultipartUploads"})
_TEXTS: Final = frozenset(
    {"Prefix", "Delimiter", "StartAfter", "Marker", "NextMarker", "KeyMarker", "NextKeyMarker"},
)
_ROWS: Final = {
    "Contents": "Key",
    "Versions": "Key",
    "DeleteMarkers": "Key",
    "Uploads": "Key",
    "CommonPrefixes": "Prefix",
}
_SAFE: Final = "/*"
"""What S3 leaves as it is besides letters, digits and ``-_.``; a space becomes ``+``."""


def encoded(service: str, operation: str, data: JsonObject) -> JsonObject:
    """Return a result with its names encoded, when it says so itself: ``{"EncodingType": "url"}``.

    Args:
        service: Name of the service.
        operation: Its operation.
        data: The result; its names are plain.
    """
    if service != S3 or operation not in _LISTINGS or data.get(ENCODING) != _ENCODED:
        return data
    return {name: _member(name, value) for name, value in data.items()}


def _member(name: str, value: Any) -> Any:  # noqa: ANN401 - JSON
    if name in _TEXTS:
        return _quoted(value)
    if name in _ROWS and isinstance(value, list):
        return [_row(row, _ROWS[name]) for row in value]
    return value


def _row(row: Any, name: str) -> Any:  # noqa: ANN401 - JSON
    return {**row, name: _quoted(row[name])} if isinstance(row, dict) and name in row else row


def _quoted(value: Any) -> Any:  # noqa: ANN401 - JSON
    return quote_plus(value, safe=_SAFE) if isinstance(value, str) else value
