"""An outcome as the provider's answer: its status, the headers clients look at, its body, byte for byte.

A body comes from one of four places: it went out through the exchange already; it is small and in the outcome; it is
in the result, as a worker leaves it that executed the intent after people allowed it; or it was kept by that worker.
What a provider said no to is handed on as it is, too.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any, Final

from broker.doors.llm.answer import INTENT, Answer, passed_on, raw
from broker.doors.llm.refusals import NOT_AGAIN, No, of_outcome, pending, unreleased
from broker.doors.outlet import RawHeaders, StreamedAnswer, send_kept
from broker.doors.outputs import inline_body, safe_media_type
from broker.ids import IntentId
from broker.model import IntentState, JsonObject
from broker.outcome import Outcome, Problem, ProblemKind
from broker.store.base import Outputs

_WITHHELD: Final = "withheld"
_OURS: Final = frozenset((401, 403))
"""Statuses with which a provider speaks of our credential."""


@dataclass(frozen=True, slots=True)
class Request:
    """What of a request its answer needs.

    Args:
        approvals_url: Where approvals are shown, up to the id.
        headers: More for every answer; they win over the provider's.
    """

    approvals_url: str
    headers: dict[str, str] = field(default_factory=dict)

    def head(self, intent_id: IntentId, data: JsonObject, media_type: str) -> tuple[int, RawHeaders]:
        """Return status and headers of a body that streams; see `broker.doors.outlet.Head`."""
        # A proxy that gathers the pieces of a stream would undo it.
        own = {"content-type": safe_media_type(media_type), "x-accel-buffering": "no"}
        return status_of(data, 200, 299), raw({**self._headers(intent_id, data), **own})

    def whole(self, outcome: Outcome, body: bytes) -> Answer:
        """Return the answer of a body that is here."""
        data = outcome.result
        headers = {**self._headers(outcome.intent_id, data), "content-type": _media_type(data)}
        return Answer(status_of(data, 200, 299), headers, body)

    def refused(self, outcome: Outcome, body: bytes) -> Answer:
        """Return a provider's own no."""
        data = outcome.result
        status = status_of(data, 400, 599)
        headers = {**self._headers(outcome.intent_id, data), "content-type": _media_type(data)}
        # A client that shows its own credential again mends nothing.
        stop = NOT_AGAIN if status in _OURS else {}
        return Answer(status, {**stop, **headers}, body)

    def _headers(self, intent_id: str, data: JsonObject) -> dict[str, str]:
        return {**passed_on(data.get("headers")), **self.headers, INTENT: intent_id}


async def answer_of(outcome: Outcome, asked: Request, exchange: StreamedAnswer, outputs: Outputs) -> Answer | No | None:
    """Return the answer to send; None when it went out already, whole or cut.

    Args:
        outcome: What became of the intent.
        asked: What was asked.
        exchange: Where streamed bodies go.
        outputs: Where kept bodies are.
    """
    if outcome.problem is not None:
        return _refusal(outcome, outcome.problem, asked)
    if outcome.state is not IntentState.SUCCEEDED:
        return pending(outcome, f"{asked.approvals_url}/{outcome.approval_id}")
    if outcome.result.keys() == {_WITHHELD}:
        return unreleased(outcome, str(outcome.result[_WITHHELD]))
    if outcome.body is None and outcome.output_bytes >= 0:
        if await send_kept(outcome, outcome.result, exchange, outputs):
            return None
        return unreleased(outcome, "the body of the answer is no longer kept")
    body = outcome.body if outcome.body is not None else inline_body(outcome)
    return unreleased(outcome, "the result is no answer of a model") if body is None else asked.whole(outcome, body)


def status_of(data: JsonObject, least: int, most: int) -> int:
    """Return the status of a result; ``least`` when it has none in these bounds."""
    status = data.get("status")
    return status if type(status) is int and least <= status <= most else least


def _refusal(outcome: Outcome, problem: Problem, asked: Request) -> Answer | No:
    body = _own_words(outcome.result.get("body")) if problem.kind is ProblemKind.UPSTREAM_REFUSED else None
    return of_outcome(outcome, problem) if body is None else asked.refused(outcome, body)


def _own_words(body: Any) -> bytes | None:  # noqa: ANN401 - JSON
    """Return what a provider said in its no; None when that is not here."""
    if not isinstance(body, dict):
        return None
    text, data = body.get("text"), body.get("data")
    if isinstance(text, str):
        return text.encode()
    try:
        return base64.b64decode(data, validate=True) if isinstance(data, str) else None
    except ValueError:  # a masked secret stands in it
        return None


def _media_type(data: JsonObject) -> str:
    headers = data.get("headers")
    said = headers.get("content-type") if isinstance(headers, dict) else None
    return safe_media_type(said if isinstance(said, str) else "")
