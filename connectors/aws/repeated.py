"""Plans that are sent more than once: listings followed page by page, and waiting. Nothing of this writes.

What is repeated, and how often at most, is in the plan's call and so in its digest and in front of whoever approves it.
"""

from __future__ import annotations

from dataclasses import replace

from connectors.aws import pages, waiters
from connectors.aws.model import ApiOperation
from connectors.base import CallResult, JsonObject, Plan
from connectors.errors import InvalidParamsError, NotSentError


def extra_params(api: ApiOperation) -> tuple[str, ...]:
    """Return the params an operation takes besides the members of its API."""
    found = [pages.PARAM] if pages.paginator_of(api) is not None else []
    found += [waiters.PARAM] if waiters.waiters_of(api) else []
    return tuple(name for name in found if name not in api.members)


def schema_of(api: ApiOperation, name: str) -> JsonObject:
    """Return the JSON Schema of one of `extra_params`."""
    return pages.schema() if name == pages.PARAM else waiters.schema(api)


def take_out(api: ApiOperation, params: JsonObject) -> tuple[JsonObject, JsonObject]:
    """Return the params without ours, and what the plan's call says of these.

    Args:
        api: The operation.
        params: As received.

    Raises:
        InvalidParamsError: one of ours does not fit, or both are given.
    """
    if pages.PARAM not in params and waiters.PARAM not in params:
        return params, {}
    ours = [name for name in extra_params(api) if name in params]
    if len(ours) > 1:
        raise InvalidParamsError(f"`{pages.PARAM}` and `{waiters.PARAM}` do not go together", fix="send two intents")
    call: JsonObject = {}
    if pages.PARAM in ours:
        call = {pages.CALL: pages.limits_of(api, params[pages.PARAM])}
    elif waiters.PARAM in ours:
        call = {waiters.CALL: waiters.wait_of(api, params[waiters.PARAM])}
    return {name: value for name, value in params.items() if name not in ours}, call


def extended(plan: Plan, call: JsonObject) -> Plan:
    """Return a plan that says what is repeated.

    Args:
        plan: Of one request.
        call: From `take_out`.
    """
    if not call:
        return plan
    if pages.CALL in call:
        times, words = call[pages.CALL]["max_pages"], "page by page, at most {}"
    else:
        times, words = call[waiters.CALL]["attempts"], f"until {call[waiters.CALL]['name']}, asking at most {{}} times"
    return replace(
        plan,
        call={**plan.call, **call},
        summary=f"{plan.summary}, {words.format(times)}",
        estimate=replace(plan.estimate, calls=times, request_bytes=plan.estimate.request_bytes * times),
    )


async def run(plan: Plan, api: ApiOperation, send: pages.Send, pause: waiters.Pause) -> CallResult:
    """Send a plan as often as it says.

    Args:
        plan: What to send.
        api: Its operation.
        send: Sends it once.
        pause: Waits between two looks.

    Raises:
        NotSentError, UpstreamRefusedError, OutcomeUnknownError: as `send`.
    """
    if pages.CALL in plan.call:
        paginator = pages.paginator_of(api)
        if paginator is None:
            raise NotSentError("the plan asks for pages of an operation that has none")
        return await pages.follow(plan, paginator, send)
    if waiters.CALL in plan.call:
        row = waiters.waiters_of(api).get(plan.call[waiters.CALL]["name"])
        if row is None:
            raise NotSentError("the plan waits for what no waiter knows")
        return await waiters.wait(plan, row, send, pause)
    return await send(plan)
