"""What a call is settled with: the units of its answer, and what they cost."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from connectors.llm import prices
from connectors.llm.metering.tally import Tally
from connectors.usage import Usage

BYTES_PER_TOKEN: Final = 4
"""Of text; what an answer without usage is counted by, as Anthropic's own gateway does (code.claude.com, LLM
gateways)."""


def usage_of(
    tally: Tally, *, provider: str, model: str, upstream: str, request_tokens: int, regional: bool = False
) -> Usage:
    """Return what a call came to; never nothing for an answer with content.

    What the upstream did not say is estimated: a token for each four bytes of text, and for the request what was
    reserved for it.

    Args:
        tally: Units of the answer.
        provider: As in ``models/{provider}/{model}``.
        model: The model that was asked for at the upstream, as the list of prices names it.
        upstream: Name of the upstream that answered.
        request_tokens: Estimate of the tokens of the request.
        regional: As for `connectors.llm.prices.cost`.
    """
    counted = _completed(tally, request_tokens)
    read = counted.input_tokens + counted.cache_read_tokens + counted.cache_write_tokens
    apart = (
        counted.iterations_input_tokens + counted.iterations_cache_read_tokens + counted.iterations_cache_write_tokens
    )
    return Usage(
        input_tokens=read + apart,
        output_tokens=counted.output_tokens + counted.iterations_output_tokens,
        cache_read_tokens=counted.cache_read_tokens + counted.iterations_cache_read_tokens,
        cache_write_tokens=counted.cache_write_tokens + counted.iterations_cache_write_tokens,
        nano_dollars=prices.cost(counted, provider, model, regional=regional),
        estimated=counted is not tally,
        model=f"{provider}/{model}",
        upstream=upstream,
        prices=prices.SNAPSHOT,
    )


def _completed(tally: Tally, request_tokens: int) -> Tally:
    """Return the tally itself when it was final, or one with what is missing estimated upwards.

    An upstream that says it wrote nothing when text went by, or that it read nothing and wrote, has not said all.
    """
    read = tally.input_tokens + tally.cache_read_tokens + tally.cache_write_tokens
    if tally.final and (tally.output_tokens or not tally.text_bytes) and (read or not tally.output_tokens):
        return tally
    written = tally.text_bytes // BYTES_PER_TOKEN + 1 if tally.text_bytes else 0
    return replace(
        tally,
        input_tokens=tally.input_tokens if read else request_tokens,
        output_tokens=max(tally.output_tokens, written),
    )
