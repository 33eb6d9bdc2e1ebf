"""Units of a call: what it may come to before it is sent, what it came to after."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

_SUMS: Final = (
    "request_bytes", "response_bytes", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
    "nano_dollars",
)  # fmt: skip
"""Units of `Usage` that add up; a call that was tried at several upstreams is one call."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Units of one call, measured.

    Args:
        calls: How many it is.
        request_bytes, response_bytes: Sizes, as far as they are known.
        input_tokens: Tokens a model read, all of them: those of the two caches are in it.
        output_tokens: Tokens a model wrote, those nobody sees among them.
        cache_read_tokens: Of those read, the ones it had already.
        cache_write_tokens: Of those read, the ones it keeps, for whatever time.
        nano_dollars: What the call costs, in US dollars times 10**9.
        estimated: True when the upstream did not say all of it, and the rest was estimated upwards.
        model: The model that answered, ``provider/model``; empty for what is no model.
        upstream: Name of the upstream that answered, where a connection has several.
        prices: Which list of prices it was counted with; empty when it costs nothing.
    """

    calls: int = 1
    request_bytes: int = 0
    response_bytes: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    nano_dollars: int = 0
    estimated: bool = False
    model: str = ""
    upstream: str = ""
    prices: str = ""

    def __add__(self, other: Usage) -> Usage:
        """Return both together, as one call of the model and the upstream of ``other``."""
        sums: dict[str, Any] = {name: getattr(self, name) + getattr(other, name) for name in _SUMS}
        return replace(other, estimated=self.estimated or other.estimated, **sums)

    @property
    def tokens(self) -> int:
        """What budgets of tokens count: all that was read and written."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one call may come to, before it is sent; of several upstreams, the dearest.

    Args:
        calls: How many it is.
        request_bytes, response_bytes: Sizes, as far as they are known.
        input_tokens: Most tokens a model reads, estimated from the length of what is sent.
        output_tokens: Most tokens it may write: what the request allows, or all the model can.
        input_nano_dollars: Highest price of one token that is read, that of writing it to a cache.
        output_nano_dollars: Highest price of one token that is written.
        extra_nano_dollars: What is added whatever the tokens are, tools of the provider's for one.
        metered: Whether the call has tokens or a price at all.
    """

    calls: int = 1
    request_bytes: int = 0
    response_bytes: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    input_nano_dollars: int = 0
    output_nano_dollars: int = 0
    extra_nano_dollars: int = 0
    metered: bool = False
