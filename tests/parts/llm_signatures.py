"""Whether a request is signed with a known key, by botocore's own arithmetic."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

_CLAIM = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/\d{8}/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)/aws4_request, ?"
    r"SignedHeaders=(?P<names>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


def is_signed(path: str, headers: Mapping[str, str], body: bytes, keys: tuple[str, str]) -> bool:
    """Tell whether a POST of these bytes was signed with a key pair for Bedrock.

    Args:
        path: As it came over the wire.
        headers: Names in lower case.
        body: All of it.
        keys: Access key id and secret key.
    """
    claim = _CLAIM.fullmatch(headers.get("authorization", ""))
    if claim is None or (claim["key"], claim["service"]) != (keys[0], "bedrock"):
        return False
    names = claim["names"].split(";")
    digest = hashlib.sha256(body).hexdigest()
    if "host" not in names or headers.get("x-amz-content-sha256", digest) != digest:
        return False
    kept = {name: headers.get(name, "") for name in names if name != "host"}
    request: Any = AWSRequest("POST", f"https://{headers['host']}{path}", headers=kept, data=body)
    request.context["timestamp"] = headers.get("x-amz-date", "")
    signer: Any = SigV4Auth(Credentials(*keys), "bedrock", claim["region"])
    expected = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    return hmac.compare_digest(expected, claim["signature"])
