"""Listings that come in pages, followed to their end by the tokens of their answers.

`Paginate` is a param of ours, on operations that read and that botocore has a paginator for. Every page is a request of
the same plan in which nothing but the members of the token differs; no action and no resource depends on these. What
comes back is one JSON line for each page, streamed, so that one page is in memory at a time.

A listing that is cut short by a limit ends after a whole page, whose own token says where to go on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import jmespath
from botocore.exceptions import DataNotFoundError

from connectors.aws.catalogue.data import load
from connectors.aws.catalogue.model import AccessClass
from connectors.aws.model import MAX_MODELS, ApiOperation, load_data
from connectors.aws.words import json_type
from connectors.base import CallResult, JsonObject, Plan
from connectors.errors import InvalidParamsError, OutcomeUnknownError

PARAM: Final = "Paginate"
CALL: Final = "pages"
"""Where a plan's call says how far to go."""
MEDIA_TYPE: Final = "application/x-ndjson"
DEFAULT_PAGES: Final = 100
MAX_PAGES: Final = 10_000
MAX_ITEMS: Final = 10_000_000
MAX_BYTES: Final = 64 << 20
"""After a page that brings the sum of all to this, no other page is asked for."""

Send = Callable[[Plan], Awaitable[CallResult]]
"""Sends one request of a plan."""

_LIMITS: Final = {"max_pages": MAX_PAGES, "max_items": MAX_ITEMS}


@dataclass(frozen=True, slots=True)
class Paginator:
    """How the pages of an operation hang together, as botocore's data says.

    Args:
        inputs: Input members that hold the token.
        outputs: For each of them the expression that finds the next one in an answer.
        more: Expression that tells whether there is a next page; empty when the token tells.
        items: Expression that finds what is listed.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    more: str
    items: str

    def following(self, page: JsonObject) -> JsonObject:
        """Return the members of the token of the next page; empty behind the last one."""
        if self.more and not jmespath.search(self.more, page):
            return {}
        found = zip(self.inputs, (jmespath.search(each, page) for each in self.outputs), strict=True)
        return {name: token for name, token in found if token}

    def count(self, page: JsonObject) -> int:
        """Return how many things a page lists."""
        found = jmespath.search(self.items, page)
        return len(found) if isinstance(found, list) else 0


def paginator_of(api: ApiOperation) -> Paginator | None:
    """Return how the pages of an operation hang together; None when it has none, or does more than read."""
    row = _paginators(api.service).get(api.name)
    entry = load().entry(api.service, api.name)
    if row is None or entry is None or entry.access is not AccessClass.READ:
        return None
    inputs, outputs = _several(row["input_token"]), _several(row["output_token"])
    return Paginator(inputs, outputs, row.get("more_results", ""), _several(row["result_key"])[0])


def limits_of(api: ApiOperation, value: Any) -> JsonObject:  # noqa: ANN401 - JSON as received
    """Return how far to go, as it stands in a plan's call.

    Args:
        api: An operation with pages.
        value: Of the param: true, or ``{"max_pages": 5, "max_items": 1000}`` with at least one of them.

    Raises:
        InvalidParamsError: it is neither.
    """
    if value is True:
        return {"max_pages": DEFAULT_PAGES, "max_items": MAX_ITEMS}
    if type(value) is not dict or not value or not value.keys() <= _LIMITS.keys():
        found = "other names" if type(value) is dict else json_type(value)
        raise InvalidParamsError(
            f"`{PARAM}` of `{api.action}` must be true or limits, found {found}",
            fix='as {"max_pages": 5, "max_items": 1000}, or one of them',
        )
    for name, most in _LIMITS.items():
        if name in value and (type(value[name]) is not int or not 1 <= value[name] <= most):
            raise InvalidParamsError(f"`{PARAM}.{name}` must be a whole number from 1 to {most}")
    return {"max_pages": MAX_PAGES if "max_items" in value else DEFAULT_PAGES, "max_items": MAX_ITEMS, **value}


def schema() -> JsonObject:
    """Return the JSON Schema of the param."""
    limits = {name: {"type": "integer", "minimum": 1, "maximum": most} for name, most in _LIMITS.items()}
    return {
        "description": f"all pages, one JSON line each; true for {DEFAULT_PAGES} pages at most",
        "anyOf": [
            {"const": True},
            {"type": "object", "properties": limits, "minProperties": 1, "additionalProperties": False},
        ],
    }


async def follow(plan: Plan, paginator: Paginator, send: Send) -> CallResult:
    """Return all pages of a listing as a streamed body; a refusal of the first one is a refusal of the whole.

    Args:
        plan: With `CALL` in its call.
        paginator: Of its operation.
        send: Sends one request.

    Raises:
        NotSentError, UpstreamRefusedError, OutcomeUnknownError: as `send`; the body raises them for later pages.
    """
    first = await send(plan)
    return CallResult(
        data={"pages": "streamed"},
        body=_lines(plan, paginator, send, first),
        media_type=MEDIA_TYPE,
        upstream_request_id=first.upstream_request_id,
        usage=first.usage,
    )


async def _lines(plan: Plan, paginator: Paginator, send: Send, page: CallResult) -> AsyncGenerator[bytes, None]:
    limits, params = plan.call[CALL], plan.call["params"]
    rest = {name: value for name, value in params.items() if name not in paginator.inputs}
    seen = {_digest({name: params[name] for name in paginator.inputs if name in params})}
    made = size = items = 0
    while True:
        line = _line(page.data)
        yield line
        made, size, items = made + 1, size + len(line), items + paginator.count(page.data)
        token = paginator.following(page.data)
        if not token or made >= limits["max_pages"] or items >= limits["max_items"] or size >= MAX_BYTES:
            return
        if _digest(token) in seen:
            raise OutcomeUnknownError("the listing has no end: a page leads back to one that was before it")
        seen.add(_digest(token))
        page = await send(replace(plan, call={**plan.call, "params": {**rest, **token}}))


def _line(page: JsonObject) -> bytes:
    try:
        return json.dumps(page, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode() + b"\n"
    except ValueError:
        raise OutcomeUnknownError("a page holds what JSON cannot say") from None


def _digest(token: JsonObject) -> bytes:
    return hashlib.sha256(json.dumps(token, sort_keys=True).encode()).digest()


def _several(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


@lru_cache(maxsize=MAX_MODELS)
def _paginators(service: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = load_data(service, "paginators-1")["pagination"]
    except DataNotFoundError:
        return {}
    return found
