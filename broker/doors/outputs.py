"""``/v1/intents/{id}/output``: the body of a result, streamed with bounded memory and never as active content."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from broker.doors.documents import problems
from broker.doors.intents import PATH, IntentPath, own_outcome
from broker.doors.principals import Agent, Broker
from broker.doors.problems import refused
from broker.model import IntentState
from broker.outcome import Outcome, ProblemKind

_MEDIA_TYPE: Final = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,64}/[A-Za-z0-9!#$&^_.+-]{1,64}(?: ?;[ -~]{1,128})?")
_UNTYPED: Final = "application/octet-stream"

router = APIRouter(tags=["intents"])


class CutOutputError(Exception):
    """The kept body ended early or ran over: the answer is broken off, as its length was promised."""


@router.get(
    PATH + "/{intent_id}/output",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "The body, with the media type the upstream gave it",
            "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
        },
        **problems(ProblemKind.NOT_FOUND, ProblemKind.OUTPUT_GONE),
    },
)
async def read_output(broker: Broker, session: Agent, intent_id: IntentPath) -> Response:
    """Stream the body of a result of this session, whether it was kept apart or came back inside the answer."""
    outcome = await own_outcome(broker, session, intent_id)
    headers = {"Content-Disposition": f'attachment; filename="{intent_id}"'}
    if outcome.state is not IntentState.SUCCEEDED or outcome.output_bytes < 0:
        inline = inline_body(outcome)
        if inline is None:
            raise refused(ProblemKind.NOT_FOUND, "this intent has no output")
        return Response(inline, headers=headers, media_type=_UNTYPED)
    chunks = broker.outputs.read(intent_id)
    first = await anext(chunks, b"")
    if not first and outcome.output_bytes:
        raise refused(ProblemKind.OUTPUT_GONE, "the output is no longer kept", fix="ask again with a new intent")
    # Set as headers: Starlette would add a charset to text types, and the upstream said none.
    headers["Content-Type"] = safe_media_type(outcome.output_media_type)
    headers["Content-Length"] = str(outcome.output_bytes)
    return StreamingResponse(_exactly(first, chunks, outcome.output_bytes), headers=headers)


def inline_body(outcome: Outcome) -> bytes | None:
    """Return a small body that stands inside the result as base64, None when there is none."""
    body = outcome.result.get("body")
    # GitHub's own answers have members of these names, beside others.
    if not isinstance(body, dict) or body.keys() != {"encoding", "data"} or body["encoding"] != "base64":
        return None
    return base64.b64decode(body["data"])


def safe_media_type(upstream: str) -> str:
    """Return the upstream's media type when it is one, `application/octet-stream` otherwise."""
    return upstream if _MEDIA_TYPE.fullmatch(upstream) else _UNTYPED


async def _exactly(first: bytes, rest: AsyncGenerator[bytes, None], size: int) -> AsyncGenerator[bytes, None]:
    sent = len(first)
    if sent > size:
        raise CutOutputError
    async with aclosing(rest):
        yield first
        async for chunk in rest:
            sent += len(chunk)
            if sent > size:
                raise CutOutputError
            yield chunk
    if sent != size:
        raise CutOutputError
