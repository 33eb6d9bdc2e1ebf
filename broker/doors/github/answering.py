"""An outcome as GitHub's answer: status, the headers clients look at, the body, all with our addresses in it.

A body comes from one of four places: it is JSON and in the result; it went out through the exchange already; it is
small and in the outcome; or it was kept, because a worker executed the intent after people allowed it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from broker.doors.github.answer import BODILESS, REQUEST_ID, Answer, is_plain, json_answer, passed_on, raw
from broker.doors.github.links import Links
from broker.doors.github.refusals import No, of_outcome, pending, unreleased
from broker.doors.outlet import RawHeaders, StreamedAnswer, send_kept
from broker.doors.outputs import inline_body, safe_media_type
from broker.ids import IntentId
from broker.model import IntentState, JsonObject
from broker.outcome import Outcome
from broker.store.base import Outputs
from connectors.github.catalogue import Entry

_WITHHELD: Final = "withheld"


@dataclass(frozen=True, slots=True)
class Request:
    """What of a request its answer needs.

    Args:
        path: As it was sent, after ``/api/v3``.
        entry: The operation.
        links: GitHub's addresses to ours.
        approvals_url: Where approvals are shown, up to the id.
    """

    path: str
    entry: Entry
    links: Links
    approvals_url: str

    def head(self, intent_id: IntentId, data: JsonObject, media_type: str) -> tuple[int, RawHeaders]:
        """Return status and headers of a body that streams; see `broker.doors.outlet.Head`."""
        headers = headers_of(data, self, intent_id)
        return status_of(data), raw({**headers, "content-type": safe_media_type(media_type)})


async def answer_of(outcome: Outcome, asked: Request, exchange: StreamedAnswer, outputs: Outputs) -> Answer | No | None:
    """Return the answer to send; None when it went out already, whole or cut.

    Args:
        outcome: What became of the intent.
        asked: What was asked.
        exchange: Where streamed bodies go.
        outputs: Where kept bodies are.
    """
    if outcome.problem is not None:
        return of_outcome(outcome, outcome.problem)
    if outcome.state is not IntentState.SUCCEEDED:
        return pending(outcome, f"{asked.approvals_url}/{outcome.approval_id}")
    if outcome.result.keys() == {_WITHHELD}:
        return unreleased(outcome, str(outcome.result[_WITHHELD]))
    if outcome.body is None and outcome.output_bytes >= 0:
        return await _send_kept(outcome, exchange, outputs)
    return _whole(outcome, asked)


def status_of(data: JsonObject) -> int:
    """Return the status of a result; 200 for what is none."""
    status = data.get("status")
    return status if isinstance(status, int) and 200 <= status < 400 else 200  # noqa: PLR2004 - of a success


def headers_of(data: JsonObject, asked: Request, intent_id: str) -> dict[str, str]:
    """Return the headers of a result that go to the client, with our addresses and the intent as request id."""
    given = data.get("headers")
    headers = passed_on(given)
    sent: JsonObject = given if isinstance(given, dict) else {}
    link = asked.links.header(str(sent.get("link", "")), asked.path, asked.entry.in_query)
    location = asked.links.within(str(sent.get("location", "")))
    if link:
        headers["link"] = link
    if location and is_plain(location):
        headers["location"] = location
    headers[REQUEST_ID] = intent_id
    return headers


def _whole(outcome: Outcome, asked: Request) -> Answer:
    data = outcome.result
    status, headers = status_of(data), headers_of(data, asked, outcome.intent_id)
    body = outcome.body if outcome.body is not None else _small(outcome)
    if body is not None:
        return Answer(status, {"content-type": safe_media_type(_media_type(data)), **headers}, body)
    if status in BODILESS or data.get("body") is None:
        return Answer(status, headers)
    return json_answer(status, asked.links.within(data["body"]), headers)


def _small(outcome: Outcome) -> bytes | None:
    """Return a body that is in the result, as a worker leaves it, and not GitHub's JSON."""
    is_json = _media_type(outcome.result).partition(";")[0] == "application/json"
    return None if is_json else inline_body(outcome)


def _media_type(data: JsonObject) -> str:
    headers = data.get("headers")
    said = headers.get("content-type") if isinstance(headers, dict) else None
    return said if isinstance(said, str) else ""


async def _send_kept(outcome: Outcome, exchange: StreamedAnswer, outputs: Outputs) -> No | None:
    if await send_kept(outcome, outcome.result, exchange, outputs):
        return None
    return unreleased(outcome, "the body of the answer is no longer kept")
