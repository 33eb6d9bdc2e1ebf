"""What a request may come to, and what an answer came to: prices and counts put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

from connectors.llm import prices
from connectors.llm.metering.tally import Tally
from connectors.llm.metering.usage import usage_of
from connectors.llm.models import Model
from connectors.llm.params import Asked
from connectors.llm.prices.snapshot import FEMTO_PER_NANO
from connectors.llm.targets import Target
from connectors.usage import Estimate, Usage

_BYTES_PER_TOKEN: Final = 3
"""Of a request: fewer than of English, as code and JSON take more tokens."""


def request_tokens(size_bytes: int) -> int:
    """Return how many tokens a request of a length is taken for, at most but for scripts with short tokens."""
    return size_bytes // _BYTES_PER_TOKEN + 1


def is_known(model: Model) -> bool:
    """Tell whether a model is on the list of prices."""
    return prices.rates(model.provider, model.name).known


def estimate_of(asked: Asked, targets: tuple[Target, ...], needed: Sequence[tuple[Model, ...]]) -> Estimate:
    """Return what a request may come to at the dearest of its upstreams.

    How often a tool asks another model, and how much that one writes, nobody knows before: its price is looked at here,
    and what it took is in the usage of the answer.

    Args:
        asked: The request.
        targets: Who may be asked.
        needed: For each of them its models: the one it is asked for, and those that tools ask there.
    """
    if asked.counting:
        return Estimate(request_bytes=asked.size_bytes)
    peeked = asked.peeked
    fast = peeked.fast or peeked.service_tier in prices.FASTER
    geo = peeked.geo.lower() not in prices.EVERYWHERE
    worst = [
        _worst(model, fast, geo, each.upstream.regional)
        for each, models in zip(targets, needed, strict=True)
        for model in models
    ]
    most = max(prices.rates(each.model.provider, each.model.name).max_output_tokens for each in targets)
    return Estimate(
        request_bytes=asked.size_bytes,
        input_tokens=request_tokens(asked.size_bytes),
        output_tokens=peeked.max_output_tokens or most,
        input_nano_dollars=max(read for read, _ in worst),
        output_nano_dollars=max(written for _, written in worst),
        extra_nano_dollars=peeked.searches * prices.SEARCH_FEMTO_DOLLARS // FEMTO_PER_NANO,
        metered=True,
    )


@lru_cache(maxsize=1024)
def _worst(model: Model, fast: bool, geo: bool, regional: bool) -> tuple[int, int]:
    return prices.worst_case(model.provider, model.name, fast=fast, geo=geo, regional=regional)


def measured(tally: Tally, *, model: str, upstream: str, request_bytes: int, regional: bool) -> Usage:
    """Return the usage of one answer; where the upstream did not say all, estimated upwards.

    Args:
        tally: What it said.
        model: Canonical name of the model it was asked for.
        upstream: Its name.
        request_bytes: Length of the body that was sent.
        regional: Whether it takes more for a region.
    """
    provider, _, name = model.partition("/")
    usage = usage_of(
        tally,
        provider=provider,
        model=name,
        upstream=upstream,
        request_tokens=request_tokens(request_bytes),
        regional=regional,
    )
    return replace(usage, request_bytes=request_bytes)
