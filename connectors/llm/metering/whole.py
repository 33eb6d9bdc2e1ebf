"""What a whole answer came to, one that is no stream."""

from __future__ import annotations

from connectors.base import JsonObject
from connectors.llm.metering import chat, responses
from connectors.llm.metering.anthropic import EventReader
from connectors.llm.metering.fields import count, parse, table, word
from connectors.llm.metering.tally import Tally
from connectors.llm.words import Dialect


def tally_of(dialect: Dialect, body: bytes) -> Tally:
    """Return the units of an answer; never raises on what it says.

    An answer that says nothing of usage, or does not parse, is not final and has all its bytes as text. The answer of
    counting tokens is final and came to nothing.

    Args:
        dialect: Its format.
        body: All of it.
    """
    answer = parse(body)
    tally = _read(dialect, answer) if answer is not None else Tally()
    if not tally.final:
        tally.text_bytes = len(body)
    return tally


def _read(dialect: Dialect, answer: JsonObject) -> Tally:
    match dialect:
        case Dialect.MESSAGES | Dialect.INVOKE:
            if "usage" not in answer and "content" not in answer and count(answer.get("input_tokens")) is not None:
                return Tally(final=True)
            reader = EventReader()
            reader.read_whole(answer)
            return reader.tally
        case Dialect.CHAT:
            tally = Tally(model=word(answer.get("model")), service_tier=word(answer.get("service_tier")))
            tally.final = chat.read_usage(tally, table(answer.get("usage")))
            return tally
        case Dialect.RESPONSES:
            tally = Tally()
            responses.read_whole(tally, answer)
            return tally
