"""A request without what is about its signature or its transfer, so that only what it asks for is left."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from connectors.aws.wire_in.calls import Scope
from connectors.aws.wire_in.refusal import Reason, RefusedError, shown
from connectors.aws.wire_in.request import WireRequest, split_query
from connectors.aws.wire_in.services import S3

PRESIGNED: Final = frozenset(
    {
        "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature",
        "X-Amz-Security-Token",
    }
)  # fmt: skip
"""Query parameters of a presigned URL that are about the signature."""
_CHUNKED: Final = "aws-chunked"


def plain(request: WireRequest, scope: Scope) -> WireRequest:
    """Return the request without what is about its signature or its transfer.

    Args:
        request: As it came.
        scope: From its signature.

    Raises:
        RefusedError: something is said twice.
    """
    if scope.presigned:
        request = _unsigned(request, scope)
    encodings = request.header("content-encoding")
    if scope.service == S3 and encodings is not None and _CHUNKED in encodings:
        left = [each.strip() for each in encodings.split(",") if each.strip() != _CHUNKED]
        headers = {name: value for name, value in request.headers.items() if name != "content-encoding"}
        request = replace(request, headers={**headers, "content-encoding": ",".join(left)} if left else headers)
    return request


def _unsigned(request: WireRequest, scope: Scope) -> WireRequest:
    """Take the signature out of the query; S3 also takes ``x-amz-`` parameters there for headers."""
    headers = dict(request.headers)
    kept = []
    for part in request.query.split("&"):
        for name, value in split_query(part):
            if scope.service == S3 and name not in PRESIGNED and name.lower().startswith("x-amz-"):
                if name.lower() in headers:
                    raise RefusedError(Reason.DECOY, f"`{shown(name)}` is a header and a query parameter")
                headers[name.lower()] = value
            elif name not in PRESIGNED:
                kept.append(part)
    return replace(request, query="&".join(kept), headers=headers)
