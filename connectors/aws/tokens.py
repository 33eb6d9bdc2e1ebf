"""Idempotency tokens: members that the SDKs fill with a fresh UUID, filled here with one that planning finds again.

Planning draws no entropy: the same intent has the same plan and the same digest, and a retry carries the same token, so
that AWS does at most once what was asked for twice. The price: two *deliberate* calls with the same params on the same
connection carry the same token too, and AWS answers the second one with the result of the first for as long as it
remembers tokens (minutes to days, each service by itself). Who wants the second one names a token of its own.
"""

from __future__ import annotations

import hashlib
import json
import uuid

from connectors.aws.model import ApiOperation
from connectors.base import JsonObject

_DOMAIN = b"ostiary/aws-token/v1\0"
"""A change of it gives every plan that is waiting for an approval another digest."""


def fill_tokens(api: ApiOperation, params: JsonObject, connection: str, payload: bytes | None) -> JsonObject:
    """Return the params with every token member that was not given.

    Args:
        api: The operation.
        params: Canonical params.
        connection: Name of the connection.
        payload: Bytes of the body that are not among the params; None when there are none.
    """
    empty = [name for name in api.tokens if name not in params]
    if not empty:
        return params
    digest = hashlib.sha256(_DOMAIN)
    said = [api.action, connection, params, hashlib.sha256(payload or b"").hexdigest()]
    digest.update(json.dumps(said, sort_keys=True, separators=(",", ":")).encode())
    token = str(uuid.UUID(bytes=digest.digest()[:16], version=4))
    return {**params, **dict.fromkeys(empty, token)}
