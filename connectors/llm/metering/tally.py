"""What an upstream said about usage, in the fields of all dialects; and what is counted when it says nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from connectors.llm.words import Phase


@dataclass(slots=True)
class Tally:
    """Units of one answer, as far as they were said; each the last value that was not null, never a sum of events.

    Args:
        input_tokens: Read, without those of the two caches.
        cache_read_tokens: Read from the cache.
        cache_write_tokens: Written to the cache, for whatever time.
        cache_write_1h_tokens: Of these, for an hour.
        output_tokens: Written, reasoning included.
        iterations_input_tokens, iterations_output_tokens: Of Anthropic's ``iterations``, those that are in no total.
        iterations_cache_read_tokens, iterations_cache_write_tokens: Of the same entries.
        iterations_models: Other models these entries name: advisors.
        web_searches: Requests of the provider's web search.
        fast: ``speed: fast``.
        geo: ``inference_geo``, lower case; empty when none was said.
        service_tier: As the provider named it; empty when it did not.
        model: As the provider named it; empty when it did not.
        final: True when the upstream said its last word about usage.
        text_bytes: Bytes of text, reasoning and tool input seen go by, for an estimate when it did not.
    """

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    iterations_input_tokens: int = 0
    iterations_output_tokens: int = 0
    iterations_cache_read_tokens: int = 0
    iterations_cache_write_tokens: int = 0
    iterations_models: tuple[str, ...] = ()
    web_searches: int = 0
    fast: bool = False
    geo: str = ""
    service_tier: str = ""
    model: str = ""
    final: bool = False
    text_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that may be handed on together: whole events of one phase; empty when they are kept from the client."""

    phase: Phase
    raw: bytes


class Follower(Protocol):
    """Follows one streamed answer: splits it into events, meters it, says where it stands; never raises on content."""

    @property
    def tally(self) -> Tally:
        """What was said so far."""

    def feed(self, chunk: bytes) -> list[Piece]:
        """Take the next bytes and return the whole events among them, neighbours of one phase as one piece.

        What does not parse is passed on as content: a meter must not break a stream.
        """

    def finish(self) -> list[Piece]:
        """Return the bytes that never became a whole event."""

    @property
    def ended(self) -> bool:
        """Whether the event came that ends an answer; without it the stream was cut."""

    @property
    def failure(self) -> tuple[str, str] | None:
        """Type and message of the error the upstream sent in the stream; None for none."""
