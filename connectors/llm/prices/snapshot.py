"""The list of prices: the data of genai-prices as it was installed, made into integers.

Prices decide what is allowed, so they change with a reviewed version of a pinned package and in no other way: the
library's updater is never started, a snapshot somebody sets in it is not looked at, and nothing here opens a socket or
reads a clock. The library costs 0.2 s and some memory; it is imported when the first price is asked for.

Integers are femto-dollars per token: one dollar for a million tokens is 10**9 of them, so that no price in use is
rounded. Where the list is silent or cheaper than a request can be, the dearer reading is taken:

1. Of prices by modality (text, audio, image) the dearest, as the units of an answer do not say which they are.
2. Reads from a cache without a price cost what input costs; writes what input costs; writes for an hour twice input
   where writes cost extra at all.
3. Of prices by date the last one; of prices by time of day the dearest. Batch and flex prices are not looked at.
4. A model without a price for input or for output counts as unknown; nothing is free.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from functools import cache, lru_cache
from importlib import metadata, resources
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, Provider

FEMTO_PER_MTOK: Final = 10**9
"""One dollar for a million tokens, in femto-dollars per token."""
FEMTO_PER_NANO: Final = 10**6
FAST: Final = 2
"""What a faster tier costs where the list has no price for it (Anthropic's fast mode, OpenAI's priority processing)."""
HOUR: Final = 2
"""Price of a cache write for an hour in prices of input (platform.claude.com, prompt caching)."""
LONGEST_NAME: Final = 256
"""Characters of a model's name that are looked up at all; no provider has longer ones."""
MOST_OUTPUT: Final = 128_000
"""Tokens the models in use write at most, where nothing smaller is known (context windows are larger)."""

_PACKAGE: Final = "genai_prices"
_ALIASES: Final = {"bedrock": "aws"}
_INPUT: Final = ("input_mtok", "input_text_mtok", "input_audio_mtok", "input_image_mtok", "input_video_mtok")
_OUTPUT: Final = (
    "output_mtok", "output_text_mtok", "output_audio_mtok", "output_image_mtok", "output_video_mtok",
    "output_reasoning_mtok", "output_citation_mtok",
)  # fmt: skip
_READ: Final = ("cache_read_mtok", "cache_text_read_mtok", "cache_audio_read_mtok", "cache_image_read_mtok")
_WRITE: Final = ("cache_write_mtok", "cache_write_5m_mtok")
_WRITE_1H: Final = ("cache_write_1h_mtok",)
_USED: Final = _INPUT + _OUTPUT + _READ + _WRITE + _WRITE_1H
_OUTPUT_LIMITS: Final = {
    "gpt-4o": 16_384,
    "gpt-4o-mini": 16_384,
    "gpt-4.1": 32_768,
    "gpt-4.1-mini": 32_768,
    "gpt-4.1-nano": 32_768,
    "o1": 100_000,
    "o3": 100_000,
    "o3-mini": 100_000,
    "o4-mini": 100_000,
}
"""By the list's own ids, so that a variant with a longer answer is not caught by a prefix (developers.openai.com,
models). Anthropic's models are not here: its requests have to say the most they want."""

_Prices = Mapping[str, "list[tuple[int, Decimal]]"]
"""Price by name of the list, each as steps: from how many tokens read, dollars per million."""


@dataclass(frozen=True, slots=True)
class Level:
    """Femto-dollars per token.

    Args:
        above: These prices count when more tokens than this were read, caches included; -1 for always.
        input, cache_read, cache_write_5m, cache_write_1h, output: Price of one token.
    """

    above: int
    input: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    output: int


@dataclass(frozen=True, slots=True)
class Listing:
    """What the list says of a model.

    Args:
        name: The list's id of it; empty when it is not on the list.
        known: False when these are the dearest prices of its provider, or of all.
        levels: By tokens read, lowest first, at least one.
        fast: The same for a faster tier.
        regional: True when the surcharge of a region is in it (Bedrock's regional profiles).
        max_output_tokens: What it writes at most.
    """

    name: str
    known: bool
    levels: tuple[Level, ...]
    fast: tuple[Level, ...]
    regional: bool
    max_output_tokens: int


@cache
def version() -> str:
    """Return which list of prices this is: version of the package and a digest of its data.

    Two installations with the same word price the same, whatever the package's version claims.
    """
    digest = hashlib.sha256(resources.files(_PACKAGE).joinpath("data.py").read_bytes()).hexdigest()
    return f"genai-prices {metadata.version('genai-prices')} {digest[:16]}"


@lru_cache(maxsize=2048)
def listing(provider: str, model: str) -> Listing:
    """Return the prices of a model; never raises, never zero.

    Args:
        provider: Id of the list (``anthropic``, ``openai``, ``azure``), or ``bedrock``; as given, in lower case.
        model: As the request names it; dates and prefixes of profiles are understood as the list does.
    """
    known = _providers()
    found = known.get(_ALIASES.get(provider, provider))
    if found is None:
        return _dearest("")
    info = found.find_model(model, all_providers=list(known.values())) if 0 < len(model) <= LONGEST_NAME else None
    return _listed(info) or _dearest(found.id)


def names(provider: str) -> tuple[str, ...]:
    """Return the list's ids of a provider's models that have prices of both directions, those it resells included.

    Args:
        provider: As for `listing`.
    """
    found = _providers().get(_ALIASES.get(provider, provider))
    return tuple(info.id for info in _offered(found) if _listed(info) is not None) if found is not None else ()


@cache
def _providers() -> dict[str, Provider]:
    from genai_prices.data import providers

    return {provider.id: provider for provider in providers}


def _offered(provider: Provider) -> Iterable[ModelInfo]:
    """Yield a provider's models and those it prices as others do: Azure the ones of OpenAI, for one."""
    yield from provider.models
    for other in provider.fallback_model_providers or ():
        yield from _providers()[other].models


@cache
def _dearest(provider: str) -> Listing:
    """Return, of each price, the highest among a provider's models; among all for an empty name."""
    chosen = [_providers()[provider]] if provider else list(_providers().values())
    found = [listed for each in chosen for info in _offered(each) if (listed := _listed(info)) is not None]
    if not found:
        return _dearest("")  # a provider of embeddings or voices only
    return Listing(
        name="",
        known=False,
        levels=(peak(level for each in found for level in each.levels),),
        fast=(peak(level for each in found for level in each.fast),),
        # A surcharge comes on top: a model that is not known may be one that has none in its price.
        regional=False,
        max_output_tokens=MOST_OUTPUT,
    )


def peak(levels: Iterable[Level]) -> Level:
    """Return one level with the highest of each price.

    Args:
        levels: At least one.
    """
    several = list(levels)
    prices = {each.name: max(getattr(level, each.name) for level in several) for each in fields(Level)}
    return Level(**(prices | {"above": -1}))


def _listed(info: ModelInfo | None) -> Listing | None:
    """Return a model's prices; None when it has none, or none for one direction."""
    standard = _levels(_current(info)) if info is not None else ()
    if info is None or not standard:
        return None
    bound = min(_OUTPUT_LIMITS.get(info.id, MOST_OUTPUT), info.context_window or MOST_OUTPUT)
    return Listing(
        name=info.id,
        known=True,
        levels=standard,
        fast=_faster(info, standard),
        regional=info.id.startswith("regional."),
        max_output_tokens=bound,
    )


def _current(info: ModelInfo) -> _Prices:
    """Return a model's prices by the rule of dates and times."""
    from genai_prices.types import ModelPrice, TimeOfDateConstraint

    if isinstance(info.prices, ModelPrice):
        return _steps(info.prices)
    if not any(isinstance(each.constraint, TimeOfDateConstraint) for each in info.prices):
        return _steps(info.prices[-1].prices)
    several = [_steps(each.prices) for each in info.prices]
    return {key: max(each[key] for each in several if key in each) for key in {key for each in several for key in each}}


def _steps(prices: object) -> _Prices:
    from genai_prices.types import TieredPrices

    found: dict[str, list[tuple[int, Decimal]]] = {}
    for key, value in vars(prices).items():
        if key in _USED and isinstance(value, Decimal):
            found[key] = [(-1, value)]
        elif key in _USED and isinstance(value, TieredPrices):
            found[key] = [(-1, value.base), *((tier.start, tier.price) for tier in value.tiers)]
    return found


def _levels(prices: _Prices) -> tuple[Level, ...]:
    """Return a level for each number of tokens a price changes at; none when input or output is free or not there."""
    starts = sorted({start for steps in prices.values() for start, _ in steps} | {-1})
    found = tuple(_level(prices, start) for start in starts)
    return found if all(level.input and level.output for level in found) else ()


def _level(prices: _Prices, above: int) -> Level:
    read = _at(prices, _INPUT, above)
    write = _at(prices, _WRITE, above)
    return Level(
        above=above,
        input=read,
        cache_read=_at(prices, _READ, above) or read,
        cache_write_5m=write or read,
        cache_write_1h=_at(prices, _WRITE_1H, above) or (max(HOUR * read, write) if write else read),
        output=_at(prices, _OUTPUT, above),
    )


def _at(prices: _Prices, keys: Iterable[str], above: int) -> int:
    """Return the dearest of some prices when more tokens than `above` were read, rounded up; 0 for none."""
    found = [[price for start, price in prices[key] if start <= above][-1] for key in keys if key in prices]
    dearest = max(found, default=Decimal(0)) * FEMTO_PER_MTOK
    return int(dearest.to_integral_value("ROUND_CEILING"))


def _faster(info: ModelInfo, standard: tuple[Level, ...]) -> tuple[Level, ...]:
    """Return the prices of a model's faster tier: those of the list, or twice the standard ones."""
    scaled = tuple(
        replace(
            level, **{each.name: FAST * getattr(level, each.name) for each in fields(Level) if each.name != "above"}
        )
        for level in standard
    )
    for variant in info.price_variants or ():
        if variant.when in ({"speed": "fast"}, {"service_tier": "priority"}):
            return _levels(_steps(variant.prices)) or scaled
    return scaled
