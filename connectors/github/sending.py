"""One request, made of the plan and nothing else, and the fetch of a file that GitHub keeps somewhere else."""

from __future__ import annotations

from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import orjson

from connectors.base import CallResult, Plan, Transport, UpstreamResponse
from connectors.errors import NotSentError, UpstreamRefusedError
from connectors.github.answer import read_answer
from connectors.github.connection import GitHubConnection
from connectors.github.marks import marked
from connectors.github.refusal import refuse
from vault.model import Lease

ACCEPT: Final = "application/vnd.github+json"
API_VERSION: Final = "2022-11-28"
_MAX_URL_CHARS: Final = 8192
_JSON: Final = "application/json; charset=utf-8"
_READS_REF: Final = "before"


async def send(plan: Plan, options: GitHubConnection, lease: Lease, transport: Transport) -> CallResult:
    """Send the request of a plan, once.

    Raises:
        NotSentError, UpstreamRefusedError, OutcomeUnknownError: as in connectors.errors.
        VaultError: the lease could not serve; nothing was sent.
    """
    if not plan.call["url"].startswith(f"{options.url}/"):
        raise NotSentError("the plan is for another upstream than the connection")
    headers = _headers(plan, lease)
    if _READS_REF in plan.call:
        await _check_before(plan, headers, transport)
    body = _body(plan)
    if body:
        headers["content-type"] = plan.call.get("sends", _JSON)
    async with AsyncExitStack() as stack:
        request = transport.request(plan.call["method"], plan.call["url"], headers=headers, body=body)
        response = await stack.enter_async_context(request)
        if plan.call.get("downloads") and response.status == HTTPStatus.FOUND:
            response = await _elsewhere(plan, options, response, stack, transport)
        if not _is_yes(response, headers):
            await refuse(plan, response)
        return await read_answer(plan, response, stack)


def authorization_of(lease: Lease) -> str:
    """Return the value of the ``Authorization`` header.

    Raises:
        VaultError: the lease could not serve.
    """
    # Latin-1 takes every byte: an exception about a foreign byte would quote the secret. The transport refuses what is
    # not printable.
    return lease.header().reveal().decode("latin-1")


def _headers(plan: Plan, lease: Lease) -> dict[str, str]:
    headers = {"accept": ACCEPT, "x-github-api-version": API_VERSION, "user-agent": "ostiary", **plan.call["headers"]}
    return {**headers, "authorization": authorization_of(lease)}


def _body(plan: Plan) -> bytes:
    body: Any = marked(plan.action, plan.call.get("body"), plan.attempt)
    if body is None:
        return b""
    return body.encode() if "sends" in plan.call else orjson.dumps(body)


def _is_yes(response: UpstreamResponse, headers: dict[str, str]) -> bool:
    if response.status == HTTPStatus.NOT_MODIFIED:
        return bool({"if-none-match", "if-modified-since"} & headers.keys())
    return HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES


async def _check_before(plan: Plan, headers: dict[str, str], transport: Transport) -> None:
    """Look once more at what GitHub takes no condition on: a ref that moved, or a merge that goes elsewhere, is stale.

    Between this look and the write somebody else may still come.
    """
    before = plan.call[_READS_REF]
    async with transport.request("GET", before["url"], headers=headers) as response:
        if response.status != HTTPStatus.OK:
            await refuse(plan, response)
        async with AsyncExitStack() as stack:
            seen = (await read_answer(plan, response, stack)).data["body"]
    if any(_member(seen, each["member"]) != each["value"] for each in before["expect"]):
        raise UpstreamRefusedError("it is not any more what was looked at", code="stale", status=409)


def _member(document: Any, path: list[str]) -> Any:  # noqa: ANN401 - JSON
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    return document


async def _elsewhere(
    plan: Plan, options: GitHubConnection, response: UpstreamResponse, stack: AsyncExitStack, transport: Transport
) -> UpstreamResponse:
    """Return the answer of the place a file is kept at; nothing that says who asks goes there."""
    location = response.headers.get("location", "")
    target = _target(plan.call["url"], location, options) if location else ""
    if not target:
        raise UpstreamRefusedError(
            "the file is kept on a host that is not among `download_hosts` of the connection",
            code="redirect",
            status=302,
        )
    await response.body.aclose()
    request = transport.request("GET", target, headers={"accept": "*/*", "user-agent": "ostiary"})
    return await stack.enter_async_context(request)


def _target(url: str, location: str, options: GitHubConnection) -> str:
    """Return where a file is kept; empty when nothing may be fetched from there."""
    try:
        target = urljoin(url, location).partition("#")[0]
        parts = urlsplit(target)
    except ValueError:
        return ""
    secure = parts.scheme in {"https", urlsplit(options.url).scheme}
    fits = secure and len(target) <= _MAX_URL_CHARS and options.may_download(parts.netloc.lower())
    return target if fits else ""
