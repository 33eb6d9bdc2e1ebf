"""A plain HTTP client for the API, as an agent would write one: JSON in, JSON out, one connection per request."""

from __future__ import annotations

import http.client
import json
from typing import Any


def call(
    url: str, method: str, path: str, token: str, body: Any = None, *, timeout_seconds: float = 30, **headers: str
) -> tuple[int, Any]:
    """Return status and parsed body.

    Args:
        url: Where the API is.
        method, path: Of the request.
        token: Bearer token.
        body: JSON value to send, None for no body.
        timeout_seconds: Of the connection.
        **headers: More headers, ``_`` for ``-``.

    Raises:
        OSError, http.client.HTTPException: no whole answer came.
    """
    sent = {"Authorization": f"Bearer {token}", **{name.replace("_", "-"): value for name, value in headers.items()}}
    data = None
    if body is not None:
        data = json.dumps(body)
        sent["Content-Type"] = "application/json"
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=timeout_seconds)
    try:
        connection.request(method, path, data, sent)
        answer = connection.getresponse()
        raw = answer.read()
        try:
            return answer.status, json.loads(raw)
        except ValueError:
            return answer.status, raw
    finally:
        connection.close()
