"""From a plan's call to the exact HTTP request, signed by a lease.

The request is built from the plan alone. botocore's serialiser makes path, query, headers and body from the model; the
path is kept byte for byte and the query is put in canonical order, so that what is signed and what is sent are the same
text. S3 signs its path as it is sent; every other service encodes it once more for the signature.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from botocore.exceptions import BotoCoreError

from connectors.aws import quirks, s3, upload
from connectors.aws.checksum import checksum_headers
from connectors.aws.codec import serializer
from connectors.aws.model import ApiOperation, operation
from connectors.aws.params import check_members
from connectors.aws.shapes import native
from connectors.base import JsonObject, Plan
from connectors.errors import InvalidParamsError, NotSentError
from vault.model import Lease, SigningRequest

EMPTY_SHA256: Final = hashlib.sha256(b"").hexdigest()
_DIGEST: Final = "x-amz-content-sha256"
_UNRESERVED: Final = "-_.~"
"""RFC 3986 2.3; what SigV4 leaves unencoded besides letters and digits."""


@dataclass(frozen=True, slots=True)
class WireRequest:
    """One request before its signature.

    Args:
        method: HTTP method.
        origin: ``scheme://host[:port]``.
        path: Encoded path, as it is sent.
        query: Encoded query in canonical order, may be empty.
        headers: Lower-case names, without ``host``.
        body: Whole body; empty when it streams in.
        payload_sha256: Hex digest of the body, or the marker S3 takes for one of a body that streams in.
        region: Region of the credential scope.
        service: Service of the credential scope.
    """

    method: str
    origin: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    payload_sha256: str
    region: str
    service: str

    @property
    def url(self) -> str:
        """The absolute URL."""
        return f"{self.origin}{self.path}?{self.query}" if self.query else f"{self.origin}{self.path}"

    @property
    def signed_path(self) -> str:
        """The path as it stands in the canonical request."""
        return self.path if self.service == s3.NAME else quote(self.path, safe="/~")


def operation_of(plan: Plan) -> ApiOperation:
    """Return the operation a plan calls.

    Raises:
        NotSentError: there is no such operation.
    """
    found = operation(str(plan.call.get("service")), str(plan.call.get("operation")))
    if found is None:
        raise NotSentError("the plan names no operation")
    return found


def build_request(plan: Plan) -> WireRequest:
    """Return the request a plan says.

    Raises:
        NotSentError: the plan does not fit the model or its payload is not the one it was made with.
    """
    api, call = operation_of(plan), plan.call
    if hashlib.sha256(plan.payload).hexdigest() != call.get("payload_sha256", EMPTY_SHA256):
        raise NotSentError("the payload is not the one that was planned")
    try:
        # What was planned passes unchanged; anything else is a plan nobody made here.
        params = check_members(api, call["params"], payload=plan.payload if api.payload else None)
        made = serializer(api.protocol).serialize_to_request(_native(api, params, plan.payload), api.model)
        path = made["url_path"] if call["path_style"] else _without_bucket(made["url_path"], params["Bucket"])
        return _request(api, plan, made, path)
    except (BotoCoreError, InvalidParamsError, KeyError, TypeError, ValueError, AttributeError, OverflowError):
        # No chaining: botocore puts the values into its message.
        raise NotSentError("the plan does not fit the model of the operation") from None


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
        _DIGEST: request.payload_sha256,
        "x-amz-date": at.strftime("%Y%m%dT%H%M%SZ"),
    }
    authorization = await lease.sign_aws(
        SigningRequest(
            method=request.method,
            path=request.signed_path,
            query=request.query,
            headers=dict(headers),
            payload_sha256=request.payload_sha256,
            region=request.region,
            service=request.service,
        )
    )
    token = lease.security_token
    if token is not None:
        # Of a temporary credential; the vault has signed it with the rest.
        headers["x-amz-security-token"] = token.reveal().decode()
    return {**headers, "authorization": authorization}


def _native(api: ApiOperation, params: JsonObject, payload: bytes) -> dict[str, Any]:
    """Return the input as botocore serialises it."""
    values: dict[str, Any] = dict(s3.fixed_members(api)) if api.service == s3.NAME else {}
    for name, value in params.items():
        is_source = name == "CopySource" and s3.is_copy(api)
        values[name] = s3.copy_source_text(value) if is_source else native(api.members[name], value)
    if api.payload:
        values[api.payload] = payload
    return values


def _request(api: ApiOperation, plan: Plan, made: dict[str, Any], path: str) -> WireRequest:
    call, body = plan.call, _body(api, made["body"])
    headers = {key.lower(): str(value) for key, value in made["headers"].items()} | quirks.headers(api)
    path, _, inline = path.partition("?")
    if plan.upload is None:
        headers |= checksum_headers(api, call["params"], headers, body)
        payload_sha256 = hashlib.sha256(body).hexdigest() if body else EMPTY_SHA256
    else:
        headers |= upload.headers_of(plan.upload, headers)
        payload_sha256 = upload.signed_as(plan.upload)
    if headers.pop(_DIGEST, payload_sha256) != payload_sha256:
        raise ValueError("the digest that was planned is not that of the body")
    return WireRequest(
        method=made["method"],
        origin=call["origin"],
        path=path or "/",
        query=_canonical_query(made["query_string"] or {}, inline),
        headers=headers,
        body=body,
        payload_sha256=payload_sha256,
        region=call["signing_region"],
        service=call["signing_name"],
    )


def _without_bucket(path: str, bucket: str) -> str:
    return path[len(bucket) + 1 :]


def _body(api: ApiOperation, made: Any) -> bytes:  # noqa: ANN401 - bytes, text or the arguments of a form
    if isinstance(made, dict):
        return urlencode(made, doseq=True).encode()
    body = made.encode() if isinstance(made, str) else bytes(made)
    if api.protocol == "rest-xml" and not api.payload and body.startswith(b"<"):
        # A parser would read ends of lines as blanks and line feeds (XML 1.0 2.11), and a key is what it is.
        return body.replace(b"\r", b"&#xD;").replace(b"\n", b"&#xA;")
    return body


def _canonical_query(members: dict[str, Any], inline: str) -> str:
    pairs = list(_arguments(members))
    for constant in inline.split("&") if inline else ():
        # The model's own part, as ``list-type=2`` or ``acl``.
        name, _, value = constant.partition("=")
        pairs.append((name, value))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _arguments(members: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in members.items():
        for item in value if isinstance(value, list) else [value]:
            yield quote(name, safe=_UNRESERVED), quote(str(item), safe=_UNRESERVED)
