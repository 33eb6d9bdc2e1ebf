"""The text a SigV4 signature is over, made again from the request as it came (RFC 3986 names; AWS's own rules)."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from connectors.aws.wire_in.request import WireRequest, split_query

UNRESERVED: Final = "-_.~"
"""RFC 3986 2.3, besides letters and digits."""
_SPACES: Final = re.compile(r"[ \t]+")
_RAW_PATH: Final = "s3"
"""The one signing name whose paths are signed as sent; everyone else normalises them and encodes them once more."""


def canonical_request(request: WireRequest, signed: Sequence[str], payload: str, *, service: str, without: str) -> str:
    """Return the digest of the canonical request, in hex.

    Args:
        request: As it came.
        signed: Names of the signed headers, in order; each is there once.
        payload: Digest or marker of the body.
        service: Signing name.
        without: Query parameter that is not signed (``X-Amz-Signature``), empty for none.
    """
    lines = [request.method, canonical_path(request.path, service), canonical_query(request.query, without)]
    lines += [f"{name}:{_SPACES.sub(' ', request.headers[name])}" for name in signed]
    lines += ["", ";".join(signed), payload]
    # Latin-1: the bytes of the headers as they came; everything else is ASCII.
    return hashlib.sha256("\n".join(lines).encode("latin-1")).hexdigest()


def canonical_path(path: str, service: str) -> str:
    """Return the path as it is signed.

    Args:
        path: Raw path.
        service: Signing name.
    """
    if service == _RAW_PATH:
        return path
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in {"", "."}:
            kept.append(segment)
    end = "/" if kept and path.endswith("/") else ""
    return quote(f"/{'/'.join(kept)}{end}", safe=f"/{UNRESERVED}")


def canonical_query(query: str, without: str = "") -> str:
    """Return the query as it is signed: decoded, encoded in the one way, sorted.

    Args:
        query: Raw query.
        without: Name of a parameter that is left out.

    Raises:
        RefusedError: it can't be decoded.
    """
    if not query:
        return ""
    pairs = [(quote(name, safe=UNRESERVED), quote(value, safe=UNRESERVED)) for name, value in split_query(query)]
    return "&".join(f"{name}={value}" for name, value in sorted(pairs) if name != without)


@lru_cache(maxsize=1024)  # one per session, day, region and service: a client makes many requests with it
def signing_key(secret: bytes, date: str, region: str, service: str) -> bytes:
    """Return the key of one day, region and service.

    Args:
        secret: Secret access key.
        date: ``YYYYMMDD``.
        region: As in the scope.
        service: As in the scope.
    """
    key = b"AWS4" + secret
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def signature(key: bytes, text: str) -> str:
    """Return the signature of a string to sign, in hex."""
    return hmac.digest(key, text.encode(), "sha256").hex()
