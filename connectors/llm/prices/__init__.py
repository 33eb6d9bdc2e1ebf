"""What tokens cost: the list of prices of this installation, and what is added that the list leaves out.

Amounts are whole nano-dollars (US dollars times 10**9), rounded up. A model nobody knows costs what the dearest of its
provider does; nothing costs nothing, and nothing here raises. Looking up a model for the first time in a process takes
0.2 s, once: `load` does that where it disturbs nobody; all else takes microseconds.

What the list leaves out and is added here:

1. A faster tier: Anthropic's ``speed: fast``, OpenAI's ``service_tier: priority``; what the list has, or twice the
   price. A cheaper one (flex, batch) is never counted: a budget may be spent late, not twice.
2. Anthropic's ``inference_geo`` other than everywhere, and a regional profile or endpoint: a tenth more, each.
3. Anthropic's ``iterations`` that are in no total: compaction at the model's prices, an advisor at the
   dearer of both.
4. Searches in the web: ten dollars for a thousand.

Not counted: what providers charge by time or place (containers, file storage, searches in files), and audio where the
list has no price of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from connectors.llm.prices.snapshot import FEMTO_PER_NANO, Level, Listing, listing, names, peak, version

if TYPE_CHECKING:
    from connectors.llm.metering.tally import Tally

SEARCH_FEMTO_DOLLARS: Final = 10 * 10**12
"""One search in the web: $10 for a thousand, Anthropic's and OpenAI's (platform.claude.com, developers.openai.com:
pricing)."""
EVERYWHERE: Final = frozenset(("", "global", "not_available"))
"""Values of ``inference_geo`` that cost nothing extra."""
FASTER: Final = frozenset(("priority", "fast", "ultrafast"))
"""Values of OpenAI's ``service_tier`` that cost more than the list's standard price."""

_NO_CHAT: Final = (
    "ada", "audio", "babbage", "computer-use", "curie", "davinci", "embed", "ft:", ".ft-", "image", "instruct", "live",
    "moderation", "realtime", "rerank", "sonic", "transcribe", "tts", "whisper",
)  # fmt: skip

SNAPSHOT: str
"""Which list of prices this is, for the record of what was counted with it; found out when it is first asked for, so
say ``prices.SNAPSHOT`` and import the module."""


def __getattr__(name: str) -> str:
    if name == "SNAPSHOT":
        return version()
    raise AttributeError(name)


@dataclass(frozen=True, slots=True)
class Rates:
    """Nano-dollars per token, rounded up; of prices that depend on how much is read, the dearest.

    Args:
        input, output: What is read and what is written.
        cache_read, cache_write_5m, cache_write_1h: What is read of a cache, and what is written to it for which time.
        max_output_tokens: Most tokens one answer has.
        known: False when the model is not on the list and these are the dearest of its provider, or of all.
    """

    input: int
    output: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    max_output_tokens: int
    known: bool


def load() -> None:
    """Read the list now, so that the first call does not wait for it; best in a thread, where a process starts."""
    listing("", "")
    version()


@lru_cache(maxsize=2048)
def rates(provider: str, model: str) -> Rates:
    """Return the list prices of a model; never raises, never zero.

    Args:
        provider: As in ``models/{provider}/{model}``: ``anthropic``, ``openai``, ``azure``, ``bedrock``.
        model: As in a request.
    """
    listed = listing(provider, model)
    dearest = peak(listed.levels)
    return Rates(
        input=_nano(dearest.input),
        output=_nano(dearest.output),
        cache_read=_nano(dearest.cache_read),
        cache_write_5m=_nano(dearest.cache_write_5m),
        cache_write_1h=_nano(dearest.cache_write_1h),
        max_output_tokens=listed.max_output_tokens,
        known=listed.known,
    )


def worst_case(
    provider: str, model: str, *, fast: bool = False, geo: bool = False, regional: bool = False
) -> tuple[int, int]:
    """Return what one token of a request may cost at most: read, and written; in nano-dollars.

    `cost` of an answer of that model without searches and without other models in it is never more.

    Args:
        provider: As for `rates`.
        model: As in a request.
        fast: Whether it asks for a faster tier (``speed: fast``, ``service_tier`` of `FASTER`).
        geo: Whether it names an ``inference_geo``.
        regional: As for `cost`.
    """
    listed = listing(provider, model)
    level = peak(listed.fast if fast else listed.levels)
    read = max(level.input, level.cache_read, level.cache_write_5m, level.cache_write_1h)
    tenths = geo + (regional and not listed.regional)
    return _nano(_with_tenths(read, tenths)), _nano(_with_tenths(level.output, tenths))


def cost(tally: Tally, provider: str, model: str, *, regional: bool = False) -> int:
    """Return what an answer costs, in nano-dollars.

    When the provider says that another model answered, the dearer of the two counts.

    Args:
        tally: Its units.
        provider: As for `rates`.
        model: The model that was asked for at the upstream.
        regional: Whether it was asked at a regional endpoint or by a profile of a region, which costs a tenth more.
    """
    asked = listing(provider, model)
    total = _answer(tally, asked, regional=regional)
    # On Bedrock a name without a profile would be priced as that of a region.
    if tally.model and tally.model != model and provider not in {"aws", "bedrock"}:
        served = listing(provider, tally.model)
        total = max(total, _answer(tally, served, regional=regional)) if served.known else total
    others = [listing(provider, name) for name in tally.iterations_models]
    total += max(_iterations(tally, listed, regional=regional) for listed in (asked, *others))
    return _nano(total + tally.web_searches * SEARCH_FEMTO_DOLLARS)


def known_models(provider: str) -> tuple[str, ...]:
    """Return the list's names of a provider's models that converse, sorted; none for a provider it does not have.

    Args:
        provider: As for `rates`.
    """
    return tuple(sorted({name for name in names(provider) if not any(word in name for word in _NO_CHAT)}))


def _answer(tally: Tally, listed: Listing, *, regional: bool) -> int:
    """Return femto-dollars of what is in the totals."""
    level = _level(listed, tally, tally.input_tokens + tally.cache_read_tokens + tally.cache_write_tokens)
    hour = min(tally.cache_write_1h_tokens, tally.cache_write_tokens)
    total = (
        tally.input_tokens * level.input
        + tally.cache_read_tokens * level.cache_read
        + (tally.cache_write_tokens - hour) * level.cache_write_5m
        + hour * level.cache_write_1h
        + tally.output_tokens * level.output
    )
    return _with_tenths(total, _tenths(tally, listed, regional=regional))


def _iterations(tally: Tally, listed: Listing, *, regional: bool) -> int:
    """Return femto-dollars of what is in no total; how long a cache keeps it is not said, so writes are for an hour."""
    read, reread, kept = (
        tally.iterations_input_tokens,
        tally.iterations_cache_read_tokens,
        tally.iterations_cache_write_tokens,
    )
    level = _level(listed, tally, read + reread + kept)
    total = read * level.input + reread * level.cache_read + kept * level.cache_write_1h
    total += tally.iterations_output_tokens * level.output
    return _with_tenths(total, _tenths(tally, listed, regional=regional))


def _level(listed: Listing, tally: Tally, read: int) -> Level:
    # Anthropic's own `priority` is capacity paid for before; it costs no more than the list.
    faster = tally.fast or (tally.service_tier in FASTER and "claude" not in listed.name)
    levels = listed.fast if faster else listed.levels
    return [level for level in levels if level.above < read][-1]


def _tenths(tally: Tally, listed: Listing, *, regional: bool) -> int:
    return (tally.geo not in EVERYWHERE) + (regional and not listed.regional)


def _with_tenths(amount: int, tenths: int) -> int:
    """Return an amount with a tenth added, several times; rounded up."""
    for _ in range(tenths):
        amount = -(-amount * 11 // 10)
    return amount


def _nano(femto: int) -> int:
    return -(-femto // FEMTO_PER_NANO)
