"""Inbound AWS Signature Version 4: who says they signed this, and did they?

`read_claim`, before any secret is at hand:

1. One signature, in the ``Authorization`` header or in the query, and of the kind AWS4-HMAC-SHA256; Signature Version
   2, SigV4A and none at all are refused.
2. Its scope is ``date/region/service/aws4_request`` and the date is that of its time stamp.
3. ``host`` and every ``x-amz-`` header that is there are signed, each sent once.
4. What it says about the body: a digest, or one of the forms S3 takes.

`check`, with the secret of the access key id that the claim names:

5. The time stamp is within `MAX_SKEW_SECONDS`, or within the validity of a presigned URL.
6. The signature is right; compared in constant time.
7. The body, when it has been read, has the digest that was signed.

What is NOT checked: whether the access key id is anyone's, whether the region is allowed, and replays within the skew.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final

from connectors.aws.wire_in.canonical import canonical_request, signature, signing_key
from connectors.aws.wire_in.refusal import Reason, Refusal, RefusedError
from connectors.aws.wire_in.request import WireRequest, split_query
from connectors.aws.wire_in.services import S3
from vault.model import SecretValue

ALGORITHM: Final = "AWS4-HMAC-SHA256"
MAX_SKEW_SECONDS: Final = 15 * 60
"""As AWS."""
MAX_EXPIRES_SECONDS: Final = 7 * 24 * 3600
"""As AWS."""
UNSIGNED_PAYLOAD: Final = "UNSIGNED-PAYLOAD"
UNSIGNED_BODIES: Final = frozenset({S3, "ebs", "lex", "mediastore", "omics"})
"""Signing names of which botocore has an operation whose body is not signed (``v4-unsigned-body``), and S3."""

_KEY_ID: Final = r"[A-Za-z0-9._~-]{1,256}"
_SCOPE: Final = r"(?P<date>[0-9]{8})/(?P<region>[a-z0-9-]{1,64})/(?P<service>[a-z0-9.-]{1,64})/aws4_request"
_CREDENTIAL: Final = re.compile(rf"(?P<key>{_KEY_ID})/{_SCOPE}", re.ASCII)
_AUTHORIZATION: Final = re.compile(
    rf"{ALGORITHM} +Credential=(?P<credential>[!-+\--~]+), *SignedHeaders=(?P<signed>[!-+\--~]+), *"
    r"Signature=(?P<signature>[0-9a-f]{64})",
    re.ASCII,
)
_HEADER_NAMES: Final = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+(?:;[a-z0-9!#$%&'*+.^_`|~-]+)*", re.ASCII)
_SIGNATURE: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_STAMP: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z", re.ASCII)
_EXPIRES: Final = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)
_OLD_QUERY: Final = frozenset({"AWSAccessKeyId", "SignatureVersion", "SignatureMethod", "Signature"})
"""Of Signature Version 2; ``SignatureMethod`` alone would be enough to tell it."""
_NEVER_SIGNED: Final = frozenset({"x-amz-user-agent"})
"""Left out by the SDK for Rust on purpose: proxies change it."""


class PayloadMode(StrEnum):
    """What is signed about the body."""

    DIGEST = "digest"
    UNSIGNED = UNSIGNED_PAYLOAD
    CHUNKS_UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    CHUNKS_SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    CHUNKS_SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"


_MARKERS: Final = {mode.value: mode for mode in PayloadMode if mode is not PayloadMode.DIGEST}


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says about its signature; nothing of it is verified.

    Args:
        access_key_id: Whose key.
        stamp: ``YYYYMMDDThhmmssZ``.
        region: Of the scope.
        service: Signing name, of the scope.
        signed: Names of the signed headers, sorted.
        signature: 64 hex digits.
        mode: What is signed about the body.
        payload: The digest or marker that was sent, empty when none was.
        presigned: It is in the query.
        expires_seconds: Validity of a presigned URL, else 0.
        security_token: As sent, empty when none was.
    """

    access_key_id: str
    stamp: str
    region: str
    service: str
    signed: tuple[str, ...]
    signature: str = field(repr=False)
    mode: PayloadMode
    payload: str
    presigned: bool = False
    expires_seconds: int = 0
    security_token: str = field(default="", repr=False)

    @property
    def scope(self) -> str:
        """The credential scope."""
        return f"{self.stamp[:8]}/{self.region}/{self.service}/aws4_request"


@dataclass(frozen=True, slots=True)
class ChunkSeed:
    """What the signatures of chunks go on from.

    Args:
        key: Signing key.
        stamp: Of the request.
        scope: Of the request.
        signature: Of the request.
    """

    key: bytes = field(repr=False)
    stamp: str
    scope: str
    signature: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Verified:
    """A claim that holds.

    Args:
        claim: The claim.
        seed: For the body's chunks.
    """

    claim: Claim
    seed: ChunkSeed = field(repr=False)


def read_claim(request: WireRequest) -> Claim | Refusal:
    """Return what a request says about its signature."""
    try:
        return _read_claim(request)
    except RefusedError as error:
        return error.refusal


def check(claim: Claim, request: WireRequest, secret: SecretValue, *, now_seconds: float) -> Verified | Refusal:
    """Return the verified claim, or why it does not hold.

    Args:
        claim: Of the same request.
        request: As it came; a body that has not been read is checked by its decoder (`payload`).
        secret: Secret access key that belongs to the claim's access key id.
        now_seconds: The clock, seconds since the epoch.
    """
    try:
        return _check(claim, request, secret, now_seconds)
    except RefusedError as error:
        return error.refusal


def _read_claim(request: WireRequest) -> Claim:
    authorization = request.header("authorization")
    query = split_query(request.query) if "=" in request.query else []
    names = Counter(name for name, _ in query)
    in_query = any(name.startswith("X-Amz-") for name in names) or not _OLD_QUERY.isdisjoint(names)
    if authorization is not None and any(name in names for name in ("X-Amz-Signature", "X-Amz-Algorithm")):  # 1
        raise RefusedError(Reason.DECOY, "there is a signature in the header and one in the query")
    if authorization is not None:
        claim = _from_header(request, authorization)
    elif in_query:
        claim = _from_query(request, dict(query), names)
    else:
        raise RefusedError(Reason.UNSIGNED, "the request is not signed")
    _check_headers(claim, request)  # 3
    return claim


def _from_header(request: WireRequest, authorization: str) -> Claim:
    found = _AUTHORIZATION.fullmatch(authorization)
    if found is None:
        if authorization.split(" ", 1)[0] != ALGORITHM:
            raise _wrong_kind()
        raise RefusedError(Reason.SIGNATURE_SHAPE, "the `Authorization` header is not in the form of SigV4")
    stamp = request.header("x-amz-date") or ""
    return _claim(
        request,
        credential=found["credential"],
        stamp=stamp,
        signed=found["signed"],
        signed_with=found["signature"],
        token=request.header("x-amz-security-token") or "",
    )


def _from_query(request: WireRequest, query: dict[str, str], names: Counter[str]) -> Claim:
    if query.get("X-Amz-Algorithm") != ALGORITHM:
        raise _wrong_kind()
    twice = [name for name, count in names.items() if count > 1 and name.startswith("X-Amz-")]
    if twice:
        raise RefusedError(Reason.DECOY, f"query parameter `{twice[0]}` is there twice")
    expires = query.get("X-Amz-Expires", "")
    if not _EXPIRES.fullmatch(expires) or int(expires) > MAX_EXPIRES_SECONDS:
        raise RefusedError(Reason.SIGNATURE_SHAPE, f"`X-Amz-Expires` must be 1 to {MAX_EXPIRES_SECONDS} seconds")
    return _claim(
        request,
        credential=query.get("X-Amz-Credential", ""),
        stamp=query.get("X-Amz-Date", ""),
        signed=query.get("X-Amz-SignedHeaders", ""),
        signed_with=query.get("X-Amz-Signature", ""),
        token=query.get("X-Amz-Security-Token", ""),
        expires_seconds=int(expires),
    )


def _claim(  # noqa: PLR0913 - the parts of a signature, keyword-only
    request: WireRequest,
    *,
    credential: str,
    stamp: str,
    signed: str,
    signed_with: str,
    token: str,
    expires_seconds: int = 0,
) -> Claim:
    found = _CREDENTIAL.fullmatch(credential)
    if found is None or not _SIGNATURE.fullmatch(signed_with) or not _HEADER_NAMES.fullmatch(signed):
        raise RefusedError(Reason.SIGNATURE_SHAPE, "the credential, the signed headers or the signature is malformed")
    if _moment(stamp) is None or found["date"] != stamp[:8]:  # 2
        raise RefusedError(Reason.SIGNATURE_SHAPE, "expected a time stamp `YYYYMMDDThhmmssZ` of the scope's date")
    payload = request.header("x-amz-content-sha256") or ""
    service = found["service"]
    return Claim(
        access_key_id=found["key"],
        stamp=stamp,
        region=found["region"],
        service=service,
        signed=tuple(signed.split(";")),
        signature=signed_with,
        mode=_mode(payload, service, presigned=bool(expires_seconds)),  # 4
        payload=payload,
        presigned=bool(expires_seconds),
        expires_seconds=expires_seconds,
        security_token=token,
    )


def _mode(payload: str, service: str, *, presigned: bool) -> PayloadMode:
    mode = _MARKERS.get(payload, PayloadMode.DIGEST)
    if payload and mode is PayloadMode.DIGEST and not _SIGNATURE.fullmatch(payload):
        raise RefusedError(Reason.SIGNATURE_KIND, "`x-amz-content-sha256` is no digest and no form that is taken")
    if not payload and service == S3:
        if not presigned:
            raise RefusedError(Reason.SIGNATURE_SHAPE, "S3 wants the header `x-amz-content-sha256`")
        return PayloadMode.UNSIGNED
    if mode is not PayloadMode.DIGEST and service != S3 and payload != UNSIGNED_PAYLOAD:
        raise RefusedError(Reason.SIGNATURE_KIND, "only S3 takes a body in chunks")
    if mode is PayloadMode.UNSIGNED and service not in UNSIGNED_BODIES:
        raise RefusedError(Reason.SIGNATURE_SHAPE, "this service wants a signed body")
    return mode


def _check_headers(claim: Claim, request: WireRequest) -> None:
    names = claim.signed
    if list(names) != sorted(set(names)):
        raise RefusedError(Reason.SIGNATURE_SHAPE, "the signed headers are not sorted or not unique")
    if "host" not in names:
        raise RefusedError(Reason.SIGNATURE_SHAPE, "the header `host` must be signed")
    for name in names:
        if request.header(name) is None:
            raise RefusedError(Reason.SIGNATURE_SHAPE, "a signed header is not there")
    for name in request.headers:
        if name.startswith("x-amz-") and name not in names and name not in _NEVER_SIGNED:
            raise RefusedError(Reason.SIGNATURE_SHAPE, f"the header `{name[:64]}` must be signed")


def _check(claim: Claim, request: WireRequest, secret: SecretValue, now_seconds: float) -> Verified:
    _check_time(claim, now_seconds)  # 5
    found = None if request.body is None else hashlib.sha256(request.body).hexdigest()
    payload = claim.payload or (UNSIGNED_PAYLOAD if claim.mode is PayloadMode.UNSIGNED else found)
    if payload is None:
        raise RefusedError(Reason.UNSUPPORTED, "the body must be read: no digest of it was sent")
    without = "X-Amz-Signature" if claim.presigned else ""
    digest = canonical_request(request, claim.signed, payload, service=claim.service, without=without)
    key = signing_key(secret.reveal(), claim.stamp[:8], claim.region, claim.service)
    expected = signature(key, f"{ALGORITHM}\n{claim.stamp}\n{claim.scope}\n{digest}")
    if not hmac.compare_digest(expected, claim.signature):  # 6
        raise RefusedError(Reason.SIGNATURE_WRONG, "the signature is not that of this request and key")
    if claim.mode is PayloadMode.DIGEST and found is not None and not hmac.compare_digest(found, payload):  # 7
        raise RefusedError(Reason.PAYLOAD_MISMATCH, "the body does not have the digest that was signed")
    return Verified(claim, ChunkSeed(key, claim.stamp, claim.scope, claim.signature))


def _check_time(claim: Claim, now_seconds: float) -> None:
    moment = _moment(claim.stamp)
    if moment is None or moment - now_seconds > MAX_SKEW_SECONDS:
        raise RefusedError(Reason.SKEWED, f"the time stamp is more than {MAX_SKEW_SECONDS} seconds ahead")
    if claim.presigned and now_seconds > moment + claim.expires_seconds:
        raise RefusedError(Reason.EXPIRED, "the presigned request has expired")
    if not claim.presigned and now_seconds - moment > MAX_SKEW_SECONDS:
        raise RefusedError(Reason.SKEWED, f"the time stamp is more than {MAX_SKEW_SECONDS} seconds old")


def _wrong_kind() -> RefusedError:
    return RefusedError(Reason.SIGNATURE_KIND, f"only {ALGORITHM} signatures are taken")


@lru_cache(maxsize=64)  # many requests share a second
def _moment(stamp: str) -> float | None:
    if not _STAMP.fullmatch(stamp):
        return None
    try:
        return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
