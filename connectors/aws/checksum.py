"""Checksums of request bodies, where the model says that a call must carry one."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable, Mapping
from typing import Final

from connectors.aws.model import ApiOperation
from connectors.base import JsonObject

_DEFAULT: Final = "CRC32"
_ANY: Final = "x-amz-checksum-"
_MD5: Final = "content-md5"


def _crc32(body: bytes) -> bytes:
    return zlib.crc32(body).to_bytes(4, "big")


def _sha1(body: bytes) -> bytes:
    return hashlib.sha1(body, usedforsecurity=False).digest()


def _sha256(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()


def _md5(body: bytes) -> bytes:
    return hashlib.md5(body, usedforsecurity=False).digest()


_ALGORITHMS: Final[dict[str, Callable[[bytes], bytes]]] = {_DEFAULT: _crc32, "SHA1": _sha1, "SHA256": _sha256}
"""Those the standard library has; with another one the caller gives the checksum itself."""


def checksum_headers(api: ApiOperation, params: JsonObject, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
    """Return the headers that carry the checksum of a body; none when the call needs none or has one.

    Args:
        api: The operation.
        params: Canonical params; they may name the algorithm.
        headers: Headers so far, lower-case names.
        body: Whole body.
    """
    if any(name.startswith(_ANY) or name == _MD5 for name in headers):
        return {}
    rules = api.model.http_checksum
    named = params.get(rules.get("requestAlgorithmMember", ""))
    if named is None and not (rules.get("requestChecksumRequired") or api.model.http_checksum_required):
        return {}
    if "requestAlgorithmMember" not in rules:
        return {_MD5: _base64(_md5(body))}
    algorithm = _DEFAULT if named is None else str(named)
    if algorithm not in _ALGORITHMS:
        return {}
    return {
        "x-amz-sdk-checksum-algorithm": algorithm,
        f"{_ANY}{algorithm.lower()}": _base64(_ALGORITHMS[algorithm](body)),
    }


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
