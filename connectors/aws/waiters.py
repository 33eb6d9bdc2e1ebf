"""Waiting until something is so: an operation is asked again until its answer says yes, no, or time is up.

`WaitFor` is a param of ours, on operations that read and that botocore has a waiter for; what an answer means is
botocore's. Each look is a request of the same plan. How often and how far apart is in the plan, so there is no clock
here. What the services answer while they are busy is no answer, and is asked again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final

from botocore import xform_name
from botocore.exceptions import DataNotFoundError
from botocore.waiter import AcceptorConfig

from connectors.aws.catalogue.data import load
from connectors.aws.catalogue.model import AccessClass
from connectors.aws.model import MAX_MODELS, ApiOperation, load_data
from connectors.aws.pages import Send
from connectors.aws.refusal import THROTTLED
from connectors.aws.words import json_type, shown
from connectors.base import CallResult, JsonObject, Plan
from connectors.errors import InvalidParamsError, UpstreamRefusedError

PARAM: Final = "WaitFor"
CALL: Final = "wait_for"
"""Where a plan's call says what is waited for, and how long."""
DEFAULT_SECONDS: Final = 45
"""A call is cut off after `upstream_timeout_seconds`, a minute unless an operator says otherwise."""
MAX_SECONDS: Final = 3_600

Pause = Callable[[float], Awaitable[None]]
"""Waits for some seconds."""

_OPTIONS: Final = frozenset({"name", "max_seconds"})


class State(StrEnum):
    """What waiting came to."""

    SUCCESS = "success"
    FAILURE = "failure"
    WAITING = "waiting"


def waiters_of(api: ApiOperation) -> Mapping[str, JsonObject]:
    """Return the waiters that look at an operation, by name (``bucket_exists``); none when it does more than read."""
    entry = load().entry(api.service, api.name)
    if entry is None or entry.access is not AccessClass.READ:
        return {}
    return {name: row for name, row in _waiters(api.service).items() if row["operation"] == api.name}


def wait_of(api: ApiOperation, value: Any) -> JsonObject:  # noqa: ANN401 - JSON as received
    """Return what is waited for, as it stands in a plan's call.

    Args:
        api: An operation with waiters.
        value: Of the param: the name of a waiter, or ``{"name": "bucket_exists", "max_seconds": 300}``.

    Raises:
        InvalidParamsError: it is neither.
    """
    said = {"name": value} if type(value) is str else value
    known = waiters_of(api)
    if type(said) is not dict or not {"name"} <= said.keys() <= _OPTIONS or type(said["name"]) is not str:
        raise InvalidParamsError(
            f"`{PARAM}` of `{api.action}` must be the name of a waiter, found {json_type(value)}", fix=_known(known)
        )
    row, seconds = known.get(said["name"]), said.get("max_seconds", DEFAULT_SECONDS)
    if row is None:
        raise InvalidParamsError(f"`{api.action}` has no waiter `{shown(said['name'])}`", fix=_known(known))
    if type(seconds) is not int or not 0 <= seconds <= MAX_SECONDS:
        raise InvalidParamsError(f"`{PARAM}.max_seconds` must be a whole number from 0 to {MAX_SECONDS}")
    looks = min(row["maxAttempts"], 1 + seconds // max(1, row["delay"]))
    return {"name": said["name"], "delay_seconds": row["delay"], "attempts": looks}


def schema(api: ApiOperation) -> JsonObject:
    """Return the JSON Schema of the param."""
    name = {"enum": sorted(waiters_of(api))}
    seconds = {"type": "integer", "minimum": 0, "maximum": MAX_SECONDS}
    options = {"name": name, "max_seconds": seconds}
    return {
        "description": f"ask again until it is so, for {DEFAULT_SECONDS} seconds unless told otherwise",
        "anyOf": [
            name,
            {"type": "object", "properties": options, "required": ["name"], "additionalProperties": False},
        ],
    }


async def wait(plan: Plan, row: JsonObject, send: Send, pause: Pause) -> CallResult:
    """Return what waiting came to: the state, how often it was looked, and the code of the last error.

    Args:
        plan: With `CALL` in its call.
        row: The waiter.
        send: Sends one request.
        pause: Waits.

    Raises:
        UpstreamRefusedError: an answer that the waiter does not know and that is no passing trouble.
        NotSentError, OutcomeUnknownError: as `send`.
    """
    said, acceptors = plan.call[CALL], [AcceptorConfig(each) for each in row["acceptors"]]
    state, made, code, request_id = State.WAITING, 0, "", ""
    while state is State.WAITING:
        if made:
            await pause(said["delay_seconds"])
        made += 1
        try:
            result = await send(plan)
        except UpstreamRefusedError as error:
            code, request_id = error.code, error.upstream_request_id
            accepted = _accepted(acceptors, _refusal(error))
            if not accepted and not _passes(error):
                raise
        else:
            code, request_id = "", result.upstream_request_id
            accepted = _accepted(acceptors, {**result.data, **_metadata(HTTPStatus.OK)})
        if accepted in {State.SUCCESS, State.FAILURE}:
            state = State(accepted)
        elif made >= said["attempts"]:
            break
    data = {PARAM: said["name"], "state": state.value, "attempts": made, **({"code": code} if code else {})}
    return CallResult(data, upstream_request_id=request_id)


def _accepted(acceptors: Sequence[AcceptorConfig], answer: JsonObject) -> str:
    """Return the state of the first acceptor that knows an answer; empty when none does."""
    return next((str(each.state) for each in acceptors if each.matcher_func(answer)), "")


def _refusal(error: UpstreamRefusedError) -> JsonObject:
    """Return a refusal as botocore's matchers look at it."""
    return {"Error": {"Code": error.code, "Message": str(error)}, **_metadata(error.status)}


def _metadata(status: int) -> JsonObject:
    # Of a yes its kind is known and not its number; the waiters that look at one expect 200.
    return {"ResponseMetadata": {"HTTPStatusCode": status}}


def _passes(error: UpstreamRefusedError) -> bool:
    return error.status >= HTTPStatus.INTERNAL_SERVER_ERROR or error.code in THROTTLED


def _known(waiters: Mapping[str, JsonObject]) -> str:
    return f"one of {', '.join(sorted(waiters))}"


@lru_cache(maxsize=MAX_MODELS)
def _waiters(service: str) -> dict[str, JsonObject]:
    try:
        rows: JsonObject = load_data(service, "waiters-2")["waiters"]
    except DataNotFoundError:
        return {}
    return {xform_name(name): row for name, row in rows.items()}
