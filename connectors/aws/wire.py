"""From a plan's call to the exact HTTP request, signed by a lease.

The request is built from the plan alone. botocore's serialiser makes path, query and headers from the model; the path
is kept byte for byte (S3 signs it raw, dots and double slashes included) and the query is put in canonical order, so
that what is signed and what is sent are the same text.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, urlsplit

from botocore.exceptions import ParamValidationError

from connectors.aws.connection import DNS_SUFFIXES
from connectors.aws.model import member_shape, operation_model, serializer
from connectors.aws.operations import BY_NAME
from connectors.base import JsonObject, Plan
from connectors.errors import NotSentError
from vault.model import Lease, SigningRequest

EMPTY_SHA256: Final = hashlib.sha256(b"").hexdigest()
_UNRESERVED: Final = "-_.~"
"""RFC 3986 2.3; what SigV4 leaves unencoded besides letters and digits."""


@dataclass(frozen=True, slots=True)
class WireRequest:
    """One request before its signature.

    Args:
        method: HTTP method.
        origin: ``scheme://host[:port]``.
        path: Encoded path.
        query: Encoded query in canonical order, may be empty.
        headers: Lower-case names, without ``host``.
        body: Whole body.
        payload_sha256: Hex digest of the body.
        region: Region of the credential scope.
    """

    method: str
    origin: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    payload_sha256: str
    region: str

    @property
    def url(self) -> str:
        """The absolute URL."""
        return f"{self.origin}{self.path}?{self.query}" if self.query else f"{self.origin}{self.path}"


def target_of(options: JsonObject, region: str, bucket: str) -> tuple[str, bool]:
    """Return the origin a bucket is reached at, and whether its name is in the path.

    An explicit endpoint is path-style. On AWS the bucket is in the host, except when its dots would break the
    wildcard certificate.
    """
    endpoint = options.get("endpoint")
    if endpoint is not None:
        return str(endpoint), True
    suffix = DNS_SUFFIXES[str(options.get("partition", "aws"))]
    if "." in bucket:
        return f"https://s3.{region}.{suffix}", True
    return f"https://{bucket}.s3.{region}.{suffix}", False


def build_request(plan: Plan) -> WireRequest:
    """Return the request a plan says.

    Raises:
        NotSentError: the plan does not fit the model or its payload is not the one it was made with.
    """
    call = plan.call
    payload_sha256 = hashlib.sha256(plan.payload).hexdigest() if plan.payload else EMPTY_SHA256
    if payload_sha256 != call.get("payload_sha256", EMPTY_SHA256):
        raise NotSentError("the payload is not the one that was planned")
    try:
        name = call["operation"]
        spec = BY_NAME[name]
        native = {key: _native(name, key, value) for key, value in call["params"].items()}
        for key, value in spec.fixed:
            native.setdefault(key, value)
        if "Body" in spec.accepts:
            native["Body"] = plan.payload
        made = serializer().serialize_to_request(native, operation_model(name))
        origin, in_path, region = call["origin"], call["path_style"], call["region"]
    except (KeyError, TypeError, ValueError, ParamValidationError):
        # No chaining: botocore puts the values into its message.
        raise NotSentError("the plan does not fit the model of the operation") from None
    path, _, inline = made["url_path"].partition("?")
    if not in_path:
        path = path[len(native["Bucket"]) + 1 :] or "/"
    return WireRequest(
        method=made["method"],
        origin=origin,
        path=path,
        query=_canonical_query(made["query_string"], inline),
        headers={key.lower(): str(value) for key, value in made["headers"].items()},
        body=plan.payload,
        payload_sha256=payload_sha256,
        region=region,
    )


async def sign(request: WireRequest, lease: Lease, at: datetime) -> dict[str, str]:
    """Return the headers to send, with the signature of the vault over all of them.

    Args:
        request: What will be sent.
        lease: On an AWS credential.
        at: Now, UTC; AWS refuses a signature that is 15 minutes off.

    Raises:
        VaultError: as `Lease.sign_aws`.
    """
    headers = {
        **request.headers,
        "host": urlsplit(request.origin).netloc,
        "x-amz-content-sha256": request.payload_sha256,
        "x-amz-date": at.strftime("%Y%m%dT%H%M%SZ"),
    }
    authorization = await lease.sign_aws(
        SigningRequest(
            method=request.method,
            path=request.path,
            query=request.query,
            headers=dict(headers),
            payload_sha256=request.payload_sha256,
            region=request.region,
            service="s3",
        )
    )
    token = lease.security_token
    if token is not None:
        # Of a temporary credential; the vault has signed it with the rest.
        headers["x-amz-security-token"] = token.reveal().decode()
    return {**headers, "authorization": authorization}


def _native(operation: str, name: str, value: Any) -> Any:  # noqa: ANN401 - JSON in, botocore's types out
    if name == "CopySource":
        version = f"?versionId={quote(value['VersionId'], safe=_UNRESERVED)}" if "VersionId" in value else ""
        return quote(f"{value['Bucket']}/{value['Key']}", safe=f"/{_UNRESERVED}") + version
    if member_shape(operation, name).type_name == "timestamp":
        return datetime.fromisoformat(value).astimezone(UTC)
    return value


def _canonical_query(members: dict[str, Any], inline: str) -> str:
    pairs = [(quote(key, safe=_UNRESERVED), quote(str(value), safe=_UNRESERVED)) for key, value in members.items()]
    if inline:
        # The model's own constant part, as ``list-type=2``.
        name, _, value = inline.partition("=")
        pairs.append((name, value))
    return "&".join(f"{key}={value}" for key, value in sorted(pairs))
