"""Sends a plan of GraphQL, once. What was approved at a head is looked at again right before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from connectors.base import CallResult, Plan, Transport
from connectors.errors import (
    ConnectorError,
    InvalidParamsError,
    NotSentError,
    OutcomeUnknownError,
    UpstreamRefusedError,
)
from connectors.github.graphql import twins
from connectors.github.graphql.answer import read_answer
from connectors.github.graphql.nodes import RESOLVE as RESOLVE_QUERY
from connectors.github.graphql.nodes import node_of
from connectors.github.graphql.operations import RESOLVE


async def execute(plan: Plan, authorization: str, transport: Transport) -> CallResult:
    """Send what a plan says.

    1. What must still be so is read again: the head and the base of a pull request. GitHub holds a merge to the head
    by itself, not to the base, which may have been changed since people were asked. 2. The document is sent.

    Args:
        plan: From `connectors.github.graphql.planning`.
        authorization: Value of the ``Authorization`` header.
        transport: The way out.

    Raises:
        NotSentError, UpstreamRefusedError, OutcomeUnknownError: as in connectors.errors.
    """
    if "still" in plan.call:
        await _check_still(plan, authorization, transport)
    return await _send(plan, authorization, transport)


async def _send(plan: Plan, authorization: str, transport: Transport) -> CallResult:
    call = plan.call
    body = orjson.dumps({"query": call["query"], "variables": twins.marked_variables(plan)})
    headers = {
        "accept": "application/json",
        "content-type": "application/json",
        "user-agent": "ostiary",
        "authorization": authorization,
    }
    async with transport.request("POST", call["url"], headers=headers, body=body) as response:
        return await read_answer(plan, response)


async def _check_still(plan: Plan, authorization: str, transport: Transport) -> None:
    asked, wanted = plan.call["id"], plan.call["still"]
    call: Mapping[str, Any] = {"url": plan.call["url"], "query": RESOLVE_QUERY, "variables": {"ids": [asked]}}
    try:
        answer = await _send(replace(plan, action=RESOLVE, call=dict(call)), authorization, transport)
        node = node_of(asked, answer.data["found"])
    except (OutcomeUnknownError, InvalidParamsError) as error:
        raise NotSentError(f"it could not be looked at again: {error}") from error
    if node.head != wanted["head"] or node.base != wanted["base"]:
        raise _stale()


def _stale() -> ConnectorError:
    return UpstreamRefusedError("the pull request has another head or base now", code="stale", status=409)
