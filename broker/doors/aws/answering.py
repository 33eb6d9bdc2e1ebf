"""An outcome in the words of the client's SDK: the answer of the operation, or a no.

A body comes from one of three places: it went out through the exchange already; it is small and in the outcome; or it
was kept, because a worker executed the intent after people allowed it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from broker.doors.aws import s3
from broker.doors.aws.exchange import WireExchange
from broker.doors.aws.refusals import Cause, No, of_outcome, pending
from broker.doors.outlet import send_kept
from broker.doors.outputs import inline_body
from broker.model import IntentState, JsonObject
from broker.outcome import Outcome
from broker.store.base import Outputs
from connectors.aws.model import ApiOperation
from connectors.aws.wire_in.calls import Parsed
from connectors.aws.wire_out.answer import WireAnswer, render
from connectors.aws.wire_out.errors import RenderError

_WITHHELD: Final = "withheld"
_BODY: Final = "body"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client waits to have answered.

    Args:
        parsed: What it asked.
        api: The operation.
    """

    parsed: Parsed
    api: ApiOperation


async def answer_of(
    outcome: Outcome, asked: Asked, exchange: WireExchange, *, outputs: Outputs, approvals_url: Callable[[], str]
) -> WireAnswer | No | None:
    """Return the answer to send; None when it went out already, whole or cut.

    Args:
        outcome: What became of the intent.
        asked: What was asked.
        exchange: Where streamed bodies go.
        outputs: Where kept bodies are.
        approvals_url: Returns where approvals are shown, up to the id.
    """
    if exchange.begun:
        if outcome.streamed:
            await exchange.finish()
        return None
    if outcome.problem is not None:
        return of_outcome(outcome, outcome.problem)
    if outcome.state is not IntentState.SUCCEEDED:
        return pending(outcome, f"{approvals_url()}/{outcome.approval_id}")
    if outcome.result.keys() == {_WITHHELD}:
        return _unreleased(outcome, str(outcome.result[_WITHHELD]))
    try:
        if asked.api.streams and outcome.body is None and outcome.output_bytes >= 0:
            return await _send_kept(outcome, exchange, outputs)
        return _whole(outcome, asked)
    except RenderError:
        return _unreleased(outcome, "the result does not fit the answer of this operation")


def _whole(outcome: Outcome, asked: Asked) -> WireAnswer:
    data, body = outcome.result, outcome.body
    if asked.api.streams and body is None:
        body = inline_body(outcome) or b""
        data = {name: value for name, value in data.items() if name != _BODY}
    if s3.wants_encoded_names(asked.parsed.candidates[0]):
        data = {**data, s3.ENCODING: "url"}
    return render(asked.api, asked.parsed.protocol, data, request_id=outcome.intent_id, body=body)


async def _send_kept(outcome: Outcome, exchange: WireExchange, outputs: Outputs) -> No | None:
    data: JsonObject = {name: value for name, value in outcome.result.items() if name != _BODY}
    if await send_kept(outcome, data, exchange, outputs):
        return None
    return _unreleased(outcome, "the body of the answer is no longer kept")


def _unreleased(outcome: Outcome, words: str) -> No:
    """Return the no for what was done and is not told; no SDK asks it again."""
    return No(f"it was done, but {words}", Cause.WITHHELD, intent_id=outcome.intent_id)
