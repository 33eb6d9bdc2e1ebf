"""Requests to Amazon Bedrock, signed through a lease (Bedrock API reference, InvokeModel; Signature Version 4)."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from typing import Final
from urllib.parse import quote

from connectors.errors import InvalidParamsError
from vault.model import Lease, SigningRequest

SERVICE: Final = "bedrock"
"""Its signing name; the host says ``bedrock-runtime``."""
_MODEL_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9:./_-]{0,2047}", re.ASCII)
"""The characters of every form the API reference has for a model id, ARNs among them."""
_JSON: Final = "application/json"


def path_of(model_id: str, *, streaming: bool) -> str:
    """Return the path of a call, encoded once as it goes over the wire.

    Args:
        model_id: Id or ARN of a model or an inference profile.
        streaming: Whether the answer is to come in frames.

    Raises:
        InvalidParamsError: it is no id of a model.
    """
    if not _MODEL_ID.fullmatch(model_id):
        raise InvalidParamsError("expected the id or the ARN of a model of Amazon Bedrock")
    return f"/model/{quote(model_id, safe='')}/invoke{'-with-response-stream' if streaming else ''}"


async def signed(  # noqa: PLR0913 - the parts of a signature, keyword-only
    lease: Lease,
    *,
    url_host: str,
    path: str,
    region: str,
    body: bytes,
    streaming: bool,
    now: datetime,
    content_type: str = _JSON,
) -> dict[str, str]:
    """Return all headers to send with a ``POST``, but for its length.

    Args:
        lease: On an AWS credential.
        url_host: Host of the URL, with the port when it is not the scheme's own.
        path: As `path_of` gives it.
        region: Of the endpoint.
        body: All of it.
        streaming: Whether the answer is to come in frames.
        now: UTC; AWS refuses a signature that is 15 minutes off, the vault one that is five.
        content_type: Of the body.

    Raises:
        VaultError: as `Lease.sign_aws`.
    """
    digest = hashlib.sha256(body).hexdigest()
    headers = {
        "host": url_host,
        "content-type": content_type,
        # For a stream, `accept` is the frames' own type, and that of the events inside has a header to itself.
        "x-amzn-bedrock-accept" if streaming else "accept": _JSON,
        "accept-encoding": "identity",
        "x-amz-content-sha256": digest,
        "x-amz-date": now.strftime("%Y%m%dT%H%M%SZ"),
    }
    authorization = await lease.sign_aws(
        SigningRequest(
            method="POST",
            # Of all services but S3, the canonical URI is the path of the wire, encoded once more.
            path=quote(path, safe="/-_.~"),
            query="",
            headers=dict(headers),
            payload_sha256=digest,
            region=region,
            service=SERVICE,
        )
    )
    token = lease.security_token
    if token is not None:
        # Of a temporary credential; the vault has signed it with the rest.
        headers["x-amz-security-token"] = token.reveal().decode()
    return {**headers, "authorization": authorization}
