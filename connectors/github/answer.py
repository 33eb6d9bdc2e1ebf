"""From a yes of GitHub to a result: status, some headers, and the JSON, or the body as a stream when it is no JSON."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from connectors.base import Access, CallResult, JsonObject, Plan, UpstreamResponse
from connectors.errors import OutcomeUnknownError, UpstreamRefusedError
from connectors.github.refusal import Headers, clean, request_id
from connectors.github.verbs import SECRETS
from connectors.streams import HeldBody, read_all
from connectors.usage import Usage

MAX_DOCUMENT_BYTES: Final = 16 << 20
"""Of JSON; GitHub gives 100 items a page, and files up to 1 MB in JSON."""
MAX_SECRETS: Final = 1000
HEADERS: Final = (
    "content-language",
    "content-type",
    "deprecation",
    "etag",
    "last-modified",
    "link",
    "location",
    "retry-after",
    "sunset",
    "x-accepted-github-permissions",
    "x-github-api-version-selected",
    "x-github-media-type",
    "x-github-request-id",
    "x-oauth-scopes",
    "x-poll-interval",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-ratelimit-resource",
    "x-ratelimit-used",
)
"""Headers of an answer that are handed on."""
_MAX_HEADER_CHARS: Final = 4096
_NOT_JSON: Final = (".raw+json", ".diff", ".patch", ".sha", ".html")
_SIGNED: Final = "download_url"


Path = tuple[str | int, ...]
"""Where a value stands in a result."""


async def read_answer(plan: Plan, response: UpstreamResponse, stack: AsyncExitStack) -> CallResult:
    """Return the result of a call.

    Args:
        plan: What was sent.
        response: An answer that is a yes: 2xx, or 304 to a conditional read.
        stack: Holds the response open; taken over by a streamed body.

    Raises:
        UpstreamRefusedError: it cannot be handed on, and nothing was changed.
        OutcomeUnknownError: it was cut, or is not what it says.
    """
    headers = response.headers
    data: JsonObject = {"status": response.status, "headers": kept_headers(headers)}
    if not _is_json(headers) and response.status not in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
        return await _streamed(plan, data, response, stack)
    document = await read_all(response.body, MAX_DOCUMENT_BYTES)
    data["body"] = _parsed(document) if document.strip() else None
    strip_signatures(data["body"])
    return CallResult(
        data=data,
        upstream_request_id=request_id(headers),
        usage=Usage(request_bytes=plan.estimate.request_bytes, response_bytes=len(document)),
        secrets=tuple(secret_paths(plan.action, data["body"])),
    )


async def _streamed(plan: Plan, data: JsonObject, response: UpstreamResponse, stack: AsyncExitStack) -> CallResult:
    headers = response.headers
    if plan.access is not Access.READ and "content-type" in headers:
        raise OutcomeUnknownError("github answered with something that is no JSON")
    if headers.get("content-length", "") == "0" or plan.access is not Access.READ:
        await read_all(response.body, 0)
        return CallResult({**data, "body": None}, upstream_request_id=request_id(headers))
    length = headers.get("content-length", "")
    return CallResult(
        data=data,
        body=HeldBody(response.body, stack.pop_all()),
        media_type=clean(headers.get("content-type", "")) or "application/octet-stream",
        upstream_request_id=request_id(headers),
        usage=Usage(response_bytes=int(length) if length.isdecimal() else 0),
    )


def secret_paths(action: str, body: Any) -> Iterator[Path]:  # noqa: ANN401 - JSON of any type
    """Yield where in a result secrets stand.

    Raises:
        UpstreamRefusedError: there are too many to keep.
    """
    names = SECRETS.get(action)
    found = 0
    for path, value in _walk(("body",), body) if names else ():
        if path[-1] in (names or ()) and isinstance(value, str) and value:
            found += 1
            if found > MAX_SECRETS:
                raise UpstreamRefusedError("the answer holds too many secrets", code="too-large", status=200)
            yield path


def strip_signatures(body: Any) -> None:  # noqa: ANN401 - JSON of any type
    """Take the query out of addresses files can be fetched from by whoever has them: it holds a token.

    GitHub puts one into ``download_url`` for files of private repositories.
    """
    for _, value in _walk((), body):
        if isinstance(value, dict) and isinstance(value.get(_SIGNED), str) and "?" in value[_SIGNED]:
            value[_SIGNED] = urlsplit(value[_SIGNED])._replace(query="").geturl()


def _walk(path: Path, value: Any) -> Iterator[tuple[Path, Any]]:  # noqa: ANN401 - JSON of any type
    """Yield every value with its path, in order; without recursion, as an answer may be nested deep."""
    pending = [(path, value)]
    while pending:
        place, here = pending.pop()
        yield place, here
        if isinstance(here, dict):
            pending += reversed([((*place, name), item) for name, item in here.items()])
        elif isinstance(here, list):
            pending += reversed([((*place, number), item) for number, item in enumerate(here)])


def _is_json(headers: Headers) -> bool:
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    return media == "application/json" or (media.endswith("+json") and not media.endswith(_NOT_JSON))


def kept_headers(headers: Headers) -> dict[str, str]:
    """Return the headers of an answer that are handed on."""
    return {
        name: headers[name]
        for name in HEADERS
        if name in headers and len(headers[name]) <= _MAX_HEADER_CHARS and headers[name].isprintable()
    }


def _parsed(document: bytes) -> Any:  # noqa: ANN401 - JSON of any type
    try:
        return orjson.loads(document)
    except orjson.JSONDecodeError:
        raise OutcomeUnknownError("github answered with something that is no JSON") from None
