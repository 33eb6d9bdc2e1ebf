"""Answers in the format of OpenAI's Responses: what their events say of usage, and where they stand.

developers.openai.com, responses, streaming events: usage comes once, with the event that ends the answer. Tokens read
include those of the cache, tokens written the reasoning.
"""

from __future__ import annotations

import re
from typing import Final

from connectors.base import JsonObject
from connectors.llm.metering.chat import note_input
from connectors.llm.metering.fields import count, failure_of, parse, rows, table, word
from connectors.llm.metering.sse import fields_of
from connectors.llm.metering.tally import Tally
from connectors.llm.words import Phase

_PRELUDE: Final = frozenset(("response.created", "response.in_progress", "response.queued"))
_END: Final = frozenset(("response.completed", "response.incomplete", "response.failed", "response.cancelled"))
_SEARCH: Final = "web_search_call"
_DELTA: Final = re.compile(rb'"delta"[ ]*:[ ]*"([^"\\]*+(?:\\.[^"\\]*+)*+)"', re.DOTALL)
_LINE: Final = re.compile(rb"event: ([a-z_.]+)\n")


class ResponsesReader:
    """Reads the events of one answer, and parses the first and the last."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.failure: tuple[str, str] | None = None
        self._begun = False

    def read(self, raw: bytes) -> Phase:
        """Take the next event and return where it stands."""
        line = _LINE.match(raw)
        name, data = (line[1].decode("ascii"), raw[line.end() :]) if line else fields_of(raw)
        if name.startswith("response.") and name not in _PRELUDE and name not in _END:
            return self._content(name, raw)
        if line:
            name, data = fields_of(raw)
        if not name and not data:
            return self._where(content=False)
        event = parse(data)
        if event is None:
            return self._content("", raw)
        return self._event(name or word(event.get("type")), event, raw)

    def _event(self, name: str, event: JsonObject, raw: bytes) -> Phase:
        response = table(event.get("response"))
        if name == "error":
            self.failure = failure_of(event.get("error") or event | {"type": event.get("code")})
            return Phase.ERROR
        if name in _PRELUDE:
            note_names(self.tally, response)
            return self._where(content=False)
        if name not in _END:
            return self._content(name, raw)
        read_whole(self.tally, response)
        if name == "response.failed" and not self._begun:
            self.failure = failure_of(response.get("error"))
            return Phase.ERROR
        return Phase.END

    def _content(self, name: str, raw: bytes) -> Phase:
        if name.endswith(".delta"):
            match = _DELTA.search(raw)
            self.tally.text_bytes += len(match[1]) if match else len(raw)
        return self._where(content=True)

    def _where(self, *, content: bool) -> Phase:
        self._begun = self._begun or content
        return Phase.CONTENT if self._begun else Phase.PRELUDE


def note_names(tally: Tally, response: JsonObject) -> None:
    """Note which model answers, and in which tier.

    Args:
        tally: Where it is noted.
        response: The answer as far as it is there.
    """
    tally.model = word(response.get("model")) or tally.model
    tally.service_tier = word(response.get("service_tier")) or tally.service_tier


def read_whole(tally: Tally, response: JsonObject) -> None:
    """Take a whole answer, one that is no stream or that came with the event that ends one.

    Args:
        tally: Where it is noted.
        response: The answer.
    """
    note_names(tally, response)
    usage = table(response.get("usage"))
    read, written = count(usage.get("input_tokens")), count(usage.get("output_tokens"))
    if read is not None:
        note_input(tally, read, table(usage.get("input_tokens_details")))
    if written is not None:
        tally.output_tokens = written
    tally.web_searches = sum(item.get("type") == _SEARCH for item in rows(response.get("output")))
    tally.final = read is not None and written is not None
