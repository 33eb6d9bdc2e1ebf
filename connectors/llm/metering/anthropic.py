"""Answers in the format of Anthropic's Messages API: what their events say of usage, and where they stand.

platform.claude.com, streaming messages: usage is cumulative and comes in `message_start` and in every
`message_delta`, so the last value that is not null counts and nothing is added up. What is added are the entries of
``iterations`` that are in no total: those of a compaction, and of an advisor, another model that was asked on the way.
"""

from __future__ import annotations

import re
from typing import Final

from connectors.base import JsonObject
from connectors.llm.metering.fields import count, failure_of, parse, rows, table, word
from connectors.llm.metering.sse import fields_of
from connectors.llm.metering.tally import Tally
from connectors.llm.words import Phase

_TOTALS: Final = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_input_tokens": "cache_read_tokens",
}
_APART: Final = frozenset(("compaction", "advisor_message"))
"""Kinds of iterations whose tokens are in no total; those of the others are."""
_ITERATIONS: Final = {
    "input_tokens": "iterations_input_tokens",
    "output_tokens": "iterations_output_tokens",
    "cache_read_input_tokens": "iterations_cache_read_tokens",
    "cache_creation_input_tokens": "iterations_cache_write_tokens",
}
_DELTA: Final = b"event: content_block_delta"
_TEXT: Final = re.compile(
    rb'"(?:text|thinking|partial_json|content|signature)"[ ]*:[ ]*"([^"\\]*+(?:\\.[^"\\]*+)*+)"', re.DOTALL
)
"""The string of a delta. A key of JSON does not stand inside a string without a backslash before its last quote."""
_TEXTS: Final = ("text", "thinking", "partial_json", "content", "signature")


class EventReader:
    """Reads the events of one answer, parsed, in the order they come."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.failure: tuple[str, str] | None = None
        self._begun = False
        self._said = False
        self._written_5m = 0
        self._written_1h = 0
        self._written = 0

    def read(self, event: JsonObject) -> Phase:
        """Take the next event and return where it stands; never raises on what it says.

        Args:
            event: As parsed, its kind under ``type``.
        """
        match event.get("type"):
            case "message_start":
                self._message(table(event.get("message")))
                return self.aside()
            case "ping":
                return self.aside()
            case "message_delta":
                self._said = self._usage(table(event.get("usage"))) or self._said
            case "message_stop":
                self.tally.final = self._said
                return Phase.END
            case "error":
                self.failure = failure_of(event.get("error"))
                return Phase.ERROR
            case "content_block_delta":
                delta = table(event.get("delta"))
                found = [delta[key] for key in _TEXTS if isinstance(delta.get(key), str)]
                self.tally.text_bytes += sum(len(text.encode("utf-8", "surrogatepass")) for text in found)
            case _:
                pass
        return self.content()

    def read_whole(self, message: JsonObject) -> None:
        """Take an answer that is no stream.

        Args:
            message: The whole of it.
        """
        self._message(message)
        self.tally.final = count(table(message.get("usage")).get("output_tokens")) is not None

    def content(self, text_bytes: int = 0) -> Phase:
        """Take an event of content that needs no reading.

        Args:
            text_bytes: Bytes of text in it.
        """
        self._begun = True
        self.tally.text_bytes += text_bytes
        return Phase.CONTENT

    def aside(self) -> Phase:
        """Take an event that says nothing: before any content another upstream may still be asked."""
        return Phase.CONTENT if self._begun else Phase.PRELUDE

    def _message(self, message: JsonObject) -> None:
        self.tally.model = word(message.get("model")) or self.tally.model
        self._usage(table(message.get("usage")))

    def _usage(self, usage: JsonObject) -> bool:
        """Take what is said; True when the tokens written are among it."""
        for key, name in _TOTALS.items():
            if (said := count(usage.get(key))) is not None:
                setattr(self.tally, name, said)
        self._cache_writes(usage)
        if (searches := count(table(usage.get("server_tool_use")).get("web_search_requests"))) is not None:
            self.tally.web_searches = searches
        if isinstance(usage.get("iterations"), list):
            self._iterations(rows(usage["iterations"]))
        if speed := word(usage.get("speed")):
            self.tally.fast = speed == "fast"
        self.tally.geo = word(usage.get("inference_geo")).lower() or self.tally.geo
        self.tally.service_tier = word(usage.get("service_tier")) or self.tally.service_tier
        return count(usage.get("output_tokens")) is not None

    def _cache_writes(self, usage: JsonObject) -> None:
        """Take the total and its parts by time; with tools of the provider the parts may be of the first turn only."""
        parts = table(usage.get("cache_creation"))
        if (said := count(parts.get("ephemeral_5m_input_tokens"))) is not None:
            self._written_5m = said
        if (said := count(parts.get("ephemeral_1h_input_tokens"))) is not None:
            self._written_1h = said
        if (said := count(usage.get("cache_creation_input_tokens"))) is not None:
            self._written = said
        self.tally.cache_write_tokens = max(self._written, self._written_5m + self._written_1h)
        self.tally.cache_write_1h_tokens = self._written_1h

    def _iterations(self, entries: list[JsonObject]) -> None:
        apart = [entry for entry in entries if entry.get("type") in _APART]
        for key, name in _ITERATIONS.items():
            setattr(self.tally, name, count(sum(count(entry.get(key)) or 0 for entry in apart)) or 0)
        models = {word(entry.get("model")) for entry in apart} - {""}
        self.tally.iterations_models = tuple(sorted(models))
        served = [word(entry.get("model")) for entry in entries if entry.get("type") == "fallback_message"]
        self.tally.model = (served[-1:] or [""])[0] or self.tally.model


class MessagesReader:
    """Reads the events of one answer as server-sent events, and parses those that say something about usage."""

    def __init__(self) -> None:
        self._events = EventReader()

    @property
    def tally(self) -> Tally:
        """What was said so far."""
        return self._events.tally

    @property
    def failure(self) -> tuple[str, str] | None:
        """The error that came."""
        return self._events.failure

    def read(self, raw: bytes) -> Phase:
        """Take the next event and return where it stands."""
        if raw.startswith(_DELTA):
            match = _TEXT.search(raw, max(0, raw.find(b'"delta"')))
            # A kind of delta that is not known counts with all its bytes.
            return self._events.content(len(match[1]) if match else len(raw))
        name, data = fields_of(raw)
        if not name and not data:
            return self._events.aside()
        if name == "ping":
            return self._events.aside()
        if name in {"content_block_start", "content_block_stop"}:
            match = _TEXT.search(raw, max(0, raw.find(b'"content_block"')))
            return self._events.content(len(match[1]) if match else 0)
        event = parse(data)
        if event is None:
            return self._events.content(len(raw))
        return self._events.read(event | {"type": name} if name else event)
