"""Answers in the format of OpenAI's Chat Completions: what their chunks say of usage, and where they stand.

developers.openai.com, chat completions: the tokens of the prompt include those of the cache, the tokens of the
completion the reasoning. Usage comes in a chunk of its own without choices, when the request asked for it; other
upstreams put it in the last chunk, or a running count in each. The last value that is not null counts.
"""

from __future__ import annotations

import re
from typing import Final

from connectors.base import JsonObject
from connectors.llm.metering.fields import count, failure_of, parse, rows, table, word
from connectors.llm.metering.sse import fields_of
from connectors.llm.metering.tally import Tally
from connectors.llm.words import Phase

_USAGE: Final = re.compile(rb'"usage"\s*:\s*\{')
_ENVELOPE_BYTES: Final = len('"delta":{"content":""},')
"""What is round the text of a delta at least."""


class ChatReader:
    """Reads the chunks of one answer, and parses those before the content and those with usage or an error.

    Args:
        hide_usage: Whether the chunk that has usage only is kept from the client, who did not ask for it.
    """

    def __init__(self, *, hide_usage: bool) -> None:
        self.tally = Tally()
        self.failure: tuple[str, str] | None = None
        self._hide_usage = hide_usage
        self._begun = False
        self._said = False

    def read(self, raw: bytes) -> Phase | None:
        """Take the next event and return where it stands; None for content that is kept from the client."""
        if self._begun and _is_plain(raw):
            self.tally.text_bytes += _text_bytes(raw)
            return Phase.CONTENT
        name, data = fields_of(raw)
        if data.startswith(b"[DONE]"):
            self.tally.final = self._said
            return Phase.END
        chunk = parse(data)
        if not data or chunk is None:
            self._begun = self._begun or bool(data)
            return self._where(content=bool(data))
        if name == "error" or chunk.get("error"):
            self.failure = failure_of(chunk.get("error") or chunk)
            return Phase.ERROR
        return self._chunk(raw, chunk)

    def _chunk(self, raw: bytes, chunk: JsonObject) -> Phase | None:
        self.tally.model = word(chunk.get("model")) or self.tally.model
        self.tally.service_tier = word(chunk.get("service_tier")) or self.tally.service_tier
        said = read_usage(self.tally, table(chunk.get("usage")))
        self._said = self._said or said
        choices = rows(chunk.get("choices"))
        if said and not choices:
            self.tally.final = True
            self._begun = True
            return None if self._hide_usage else Phase.CONTENT
        if not any(_speaks(choice) for choice in choices):
            return self._where(content=False)
        self.tally.text_bytes += _text_bytes(raw)
        return self._where(content=True)

    def _where(self, *, content: bool) -> Phase:
        self._begun = self._begun or content
        return Phase.CONTENT if self._begun else Phase.PRELUDE


def read_usage(tally: Tally, usage: JsonObject) -> bool:
    """Take the usage of a chunk or of a whole answer; False when it says nothing of tokens.

    Args:
        tally: Where it is noted.
        usage: As parsed; empty for none.
    """
    read, written, total = (count(usage.get(key)) for key in ("prompt_tokens", "completion_tokens", "total_tokens"))
    if read is not None:
        details = table(usage.get("prompt_tokens_details"))
        note_input(tally, read, details)
    if written is not None:
        # Some upstreams leave reasoning out of the completion and have it in the total.
        tally.output_tokens = max(written, (total or 0) - read if read is not None else 0)
    return read is not None and written is not None


def note_input(tally: Tally, read: int, details: JsonObject) -> None:
    """Note tokens read, which include those of the caches.

    Args:
        tally: Where it is noted.
        read: All of them.
        details: What the upstream says of them.
    """
    tally.cache_read_tokens = min(read, count(details.get("cached_tokens")) or 0)
    tally.cache_write_tokens = min(read - tally.cache_read_tokens, count(details.get("cache_write_tokens")) or 0)
    tally.input_tokens = read - tally.cache_read_tokens - tally.cache_write_tokens


def _is_plain(raw: bytes) -> bool:
    """Return whether a chunk is content and nothing else, without parsing it."""
    if not raw.startswith(b"data: {") or b'"error"' in raw:
        return False
    usage = raw.find(b'"usage"')
    return usage < 0 or raw.startswith(b":null", usage + len(b'"usage"')) or not _USAGE.search(raw)


def _speaks(choice: JsonObject) -> bool:
    """Return whether a choice has anything of an answer: not the role, and not the verdicts of a filter."""
    delta = table(choice.get("delta"))
    return choice.get("finish_reason") is not None or any(value for key, value in delta.items() if key != "role")


def _text_bytes(raw: bytes) -> int:
    """Return the size of what is said in a chunk; more, not less: names of fields and escapes count."""
    first, last = raw.find(b'"delta"'), raw.rfind(b'"delta"')
    if first < 0:
        return len(raw)
    end = raw.find(b'"logprobs"', last)
    if end < 0:
        end = raw.find(b'"finish_reason"', last)
    return max(0, (end if end > 0 else len(raw)) - first - _ENVELOPE_BYTES)
