"""AWS Signature Version 4, in the order in which a request is judged and signed.

1. The request is well-formed: an upper-case method, an encoded path and query, lower-case header names, no control
   characters anywhere, so that nothing can pose as another line of the canonical request.
2. It is no presigned request: a query with signature parameters would become a URL good for up to seven days.
3. Its body is named by a digest. A body that is uploaded to S3 while it still comes in has none before its end, so a
   PUT or POST to S3 may say ``UNSIGNED-PAYLOAD`` or ``STREAMING-UNSIGNED-PAYLOAD-TRAILER``, in a signed header too; the
   latter with all that belongs to it. Such a body is held to its declared length and digest by whoever sends it, and
   by TLS; everything else about the request is signed. The forms with a signature per chunk are refused.
4. Its ``host`` is signed and bound to the credential.
5. Its ``x-amz-date`` is within `MAX_SKEW_SECONDS` of the vault's clock.
6. It is signed with a key derived for its date, region and service. The vault adds one header only: the session token
   of a temporary credential, because the request must not hold it.

The vault sees what is signed, not what the request means: which operation may be sent is for policy.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_plus

from vault.credential import Credential
from vault.errors import BadRequestError, LeaseRefusal, LeaseRefusedError
from vault.hosts import host_is_bound
from vault.model import CredentialKind, SecretValue, SigningRequest

MAX_SKEW_SECONDS: Final = 300
"""AWS itself takes 15 minutes; what is signed here is sent at once."""
MAX_TARGET_CHARS: Final = 32 << 10
MAX_HEADERS: Final = 100
MAX_HEADER_CHARS: Final = 32 << 10
_MAX_KEYS: Final = 1024
"""Derived keys kept: one per credential, day, region and service."""

_NS_PER_SECOND: Final = 1_000_000_000
_METHOD: Final = re.compile(r"[A-Z]{1,16}", re.ASCII)
_PATH: Final = re.compile(r"/[!$&-;=@A-Z_a-z~%]*", re.ASCII)
"""Unreserved, sub-delimiters, ``:``, ``@``, ``/`` and escapes (RFC 3986 section 3.3); no ``?``, ``#`` or space."""
_QUERY: Final = re.compile(r"[!$&-;=?@A-Z_a-z~%]*", re.ASCII)
_HEADER_NAME: Final = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,128}", re.ASCII)
_HEADER_VALUE: Final = re.compile(r"[\x20-\x7e]*", re.ASCII)
_SCOPE_PART: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}", re.ASCII)
"""Two old services sign under a name with capitals."""
UNSIGNED_PAYLOAD: Final = "UNSIGNED-PAYLOAD"
STREAMING_PAYLOAD: Final = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
"""Chunks without signatures, and a checksum after them (S3 API reference, authenticating with trailing headers)."""
_UPLOADS: Final = frozenset({"PUT", "POST"})
_CHUNKED: Final = "aws-chunked"
_LENGTH: Final = re.compile(r"[0-9]{1,19}", re.ASCII)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_DATE: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z", re.ASCII)
_FORBIDDEN_HEADERS: Final = frozenset({"authorization", "x-amz-security-token"})
_PRESIGN: Final = frozenset(
    {
        "x-amz-algorithm",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-expires",
        "x-amz-signature",
        "x-amz-signedheaders",
        "x-amz-security-token",
    }
)


@dataclass(frozen=True, slots=True)
class Signature:
    """What goes onto the request.

    Args:
        authorization: Value of the ``Authorization`` header.
        security_token: Value of the ``X-Amz-Security-Token`` header, None for long-lived credentials; it is signed.
    """

    authorization: str
    security_token: SecretValue | None = None


class SigningKeys:
    """Derived keys of the last few scopes; a key signs for one access key of a credential, day, region and service."""

    def __init__(self) -> None:
        self._keys: OrderedDict[tuple[str, int, str, str, str, str], bytes] = OrderedDict()

    def key(self, credential: Credential, date: str, region: str, service: str) -> bytes:
        """Return the derived key of a scope, made when it is not at hand."""
        # Name and version are not enough: what is minted from a credential bears those of its source.
        name = (credential.ref, credential.version, credential.identity, date, region, service)
        key = self._keys.get(name)
        if key is None:
            key = _derive(credential.fields["secret_access_key"].reveal(), date, region, service)
            self._keys[name] = key
            if len(self._keys) > _MAX_KEYS:
                self._keys.popitem(last=False)
        return key

    def clear(self) -> None:
        """Forget all keys."""
        self._keys.clear()


def sign(request: SigningRequest, credential: Credential, keys: SigningKeys, *, now_ns: int) -> Signature:
    """Judge and sign one request.

    Args:
        request: What is to be signed; holds no secret.
        credential: An AWS credential.
        keys: Derived keys at hand.
        now_ns: The vault's clock, nanoseconds since the epoch, UTC.

    Raises:
        BadRequestError: it is malformed, presigned, without a digest of its body, or its date is off.
        LeaseRefusedError: the credential is no AWS credential or not bound to the host.
    """
    if credential.kind is not CredentialKind.AWS:
        raise LeaseRefusedError(f"credential `{credential.ref}` does not sign AWS requests", LeaseRefusal.KIND)
    _check_target(request)  # 1, 2
    _check_headers(request)  # 1, 3
    host = request.headers["host"]
    if not host_is_bound(host, credential.hosts):  # 4
        raise LeaseRefusedError(f"credential `{credential.ref}` is not bound to host `{host[:255]}`", LeaseRefusal.HOST)
    stamp = request.headers["x-amz-date"]
    _check_date(stamp, now_ns)  # 5
    token = credential.fields.get("session_token")
    headers = request.headers if token is None else {**request.headers, "x-amz-security-token": token.reveal().decode()}
    names = ";".join(sorted(headers))
    scope = f"{stamp[:8]}/{request.region}/{request.service}/aws4_request"
    digest = hashlib.sha256(canonical_request(request, headers)).hexdigest()
    key = keys.key(credential, stamp[:8], request.region, request.service)
    signature = hmac.digest(key, f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}".encode(), "sha256").hex()  # 6
    return Signature(
        f"AWS4-HMAC-SHA256 Credential={credential.identity}/{scope}, SignedHeaders={names}, Signature={signature}",
        token,
    )


def canonical_request(request: SigningRequest, headers: dict[str, str]) -> bytes:
    """Return the canonical request; header values are trimmed and runs of spaces collapsed, as the standard wants."""
    names = sorted(headers)
    lines = [request.method, request.path, request.query]
    lines += [f"{name}:{' '.join(headers[name].split())}" for name in names]
    lines += ["", ";".join(names), request.payload_sha256]
    return "\n".join(lines).encode()


def _check_target(request: SigningRequest) -> None:
    if not _METHOD.fullmatch(request.method):
        raise BadRequestError("the method must be upper-case letters")
    if len(request.path) + len(request.query) > MAX_TARGET_CHARS:
        raise BadRequestError(f"path and query have more than {MAX_TARGET_CHARS} characters")
    if not _PATH.fullmatch(request.path) or not _QUERY.fullmatch(request.query):
        raise BadRequestError("the path or the query is not in canonical form: begin with a slash and encode the rest")
    if not _SCOPE_PART.fullmatch(request.region) or not _SCOPE_PART.fullmatch(request.service):
        raise BadRequestError("region and service must be letters, digits and hyphens")
    for pair in request.query.split("&") if request.query else ():
        if unquote_plus(pair.partition("=")[0]).strip().lower() in _PRESIGN:
            raise BadRequestError("presigned requests are not signed")


def _check_headers(request: SigningRequest) -> None:
    headers = request.headers
    if len(headers) > MAX_HEADERS or sum(map(len, headers.values())) > MAX_HEADER_CHARS:
        raise BadRequestError(f"more than {MAX_HEADERS} headers or {MAX_HEADER_CHARS} characters in them")
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise BadRequestError("a header name is not a lower-case token or its value is not printable ASCII")
    if not _FORBIDDEN_HEADERS.isdisjoint(headers):
        raise BadRequestError("the request must not hold `authorization` or `x-amz-security-token`")
    if "host" not in headers or "x-amz-date" not in headers:
        raise BadRequestError("the headers `host` and `x-amz-date` must be signed")
    if request.payload_sha256 in {UNSIGNED_PAYLOAD, STREAMING_PAYLOAD}:
        _check_upload(request)
    elif not _DIGEST.fullmatch(request.payload_sha256):
        raise BadRequestError("the payload digest must be 64 lower-case hex digits")
    if headers.get("x-amz-content-sha256", request.payload_sha256) != request.payload_sha256:
        raise BadRequestError("the header `x-amz-content-sha256` is not the payload's digest")


def _check_upload(request: SigningRequest) -> None:
    headers = request.headers
    if request.service != "s3" or request.method not in _UPLOADS:
        raise BadRequestError("only a PUT or POST to S3 may be signed without the digest of its payload")
    if "x-amz-content-sha256" not in headers:
        raise BadRequestError("the header `x-amz-content-sha256` must say that the payload is not signed")
    if request.payload_sha256 == UNSIGNED_PAYLOAD:
        return
    encodings = [part.strip() for part in headers.get("content-encoding", "").split(",")]
    length = headers.get("x-amz-decoded-content-length", "")
    if _CHUNKED not in encodings or not _LENGTH.fullmatch(length) or not headers.get("x-amz-trailer"):
        raise BadRequestError(
            "a payload with a trailer needs `content-encoding: aws-chunked`, `x-amz-decoded-content-length` and"
            " `x-amz-trailer`, all signed"
        )


def _check_date(stamp: str, now_ns: int) -> None:
    moment_seconds = _seconds(stamp)
    if moment_seconds is None:
        raise BadRequestError("the header `x-amz-date` must be `YYYYMMDDThhmmssZ`")
    if abs(moment_seconds - now_ns / _NS_PER_SECOND) > MAX_SKEW_SECONDS:
        raise BadRequestError(f"the header `x-amz-date` is more than {MAX_SKEW_SECONDS} seconds off the vault's clock")


@lru_cache(maxsize=64)  # parsing a date takes as long as signing, and many requests share a second
def _seconds(stamp: str) -> float | None:
    if not _DATE.fullmatch(stamp):
        return None
    try:
        return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _derive(secret: bytes, *scope: str) -> bytes:
    key = b"AWS4" + secret
    for part in (*scope, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
