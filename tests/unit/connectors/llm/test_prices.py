"""What tokens cost: known answers, what the list leaves out, and that nothing is free and nothing is fetched."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from genai_prices.data import providers
from genai_prices.types import ModelInfo, ModelPrice, StartDateConstraint, Tier, TieredPrices

from connectors.llm import prices
from connectors.llm.metering.tally import Tally
from connectors.llm.prices import snapshot

OPUS = ("anthropic", "claude-opus-4-8")
SMALL = Tally(input_tokens=100, output_tokens=10)
SMALL_COST = 750_000


@pytest.mark.parametrize(
    ("tally", "provider", "model", "nano_dollars"),
    [
        # Claude Code's own figure for the same call.
        (Tally(42, 1000, 200, 0, 17), "anthropic", "claude-opus-4-8", 2_385_000),
        (Tally(42, 1000, 0, 0, 17), "openai", "gpt-5", 347_500),
        (Tally(42, 1000, 0, 0, 17), "azure", "gpt-5", 347_500),
        (Tally(300_000, output_tokens=1000), "anthropic", "claude-sonnet-4-5", 1_822_500_000),
        (Tally(100_000, 100_000, 100_000, output_tokens=1000), "anthropic", "claude-sonnet-4-5", 1_432_500_000),
        (Tally(200_000, output_tokens=1000), "anthropic", "claude-sonnet-4-5", 615_000_000),
        (Tally(0, 0, 300, 100, 0), "anthropic", "claude-opus-4-8", 200 * 6250 + 100 * 10_000),
        (Tally(0, 0, 100, 900, 0), "anthropic", "claude-opus-4-8", 100 * 10_000),
        (Tally(1000, output_tokens=10), "bedrock", "us.anthropic.claude-opus-4-8-v1:0", 5_775_000),
        (Tally(1000, output_tokens=10), "bedrock", "global.anthropic.claude-opus-4-8-v1:0", 5_250_000),
        (Tally(), "anthropic", "claude-opus-4-8", 0),
    ],
)
def test_known_answers(tally: Tally, provider: str, model: str, nano_dollars: int) -> None:
    assert prices.cost(tally, provider, model) == nano_dollars


def test_a_part_of_a_nano_dollar_is_a_whole_one() -> None:
    # $0.0125 for a million tokens of gpt-6-luna's cache is 12.5 nano-dollars for one.
    assert prices.cost(Tally(cache_read_tokens=1, cache_write_tokens=1), "openai", "gpt-5.6-luna") == 20 + 250
    assert prices.rates("openai", "gpt-oss-safeguard-20b").cache_read == 37
    assert prices.cost(replace(SMALL, geo="us", input_tokens=1, output_tokens=0), "openai", "gpt-5-nano") == 55
    assert prices.cost(replace(SMALL, geo="us", input_tokens=0, output_tokens=0, cache_read_tokens=1), *OPUS) == 550
    assert prices.cost(Tally(cache_read_tokens=1, geo="us"), "openai", "gpt-5-nano") == 6


@pytest.mark.parametrize(
    ("tally", "nano_dollars"),
    [
        (replace(SMALL, fast=True), 2 * SMALL_COST),
        (replace(SMALL, geo="us"), 825_000),
        (replace(SMALL, geo="global"), SMALL_COST),
        (replace(SMALL, geo="not_available"), SMALL_COST),
        (replace(SMALL, fast=True, geo="us"), 1_650_000),
        (replace(SMALL, service_tier="priority"), SMALL_COST),
        (replace(SMALL, service_tier="batch"), SMALL_COST),
        (replace(SMALL, web_searches=2), SMALL_COST + 20_000_000),
        (replace(SMALL, fast=True, web_searches=2), 2 * SMALL_COST + 20_000_000),
        (replace(SMALL, iterations_input_tokens=1500, iterations_output_tokens=10), SMALL_COST + 7_750_000),
        (
            replace(SMALL, iterations_cache_read_tokens=1000, iterations_cache_write_tokens=100),
            SMALL_COST + 500_000 + 1_000_000,
        ),
        (
            replace(SMALL, iterations_output_tokens=10, iterations_models=("claude-fable-5-2", "claude-haiku-4-5")),
            SMALL_COST + 10 * 40_000,
        ),
        (replace(SMALL, model="claude-opus-4-8-20260301"), SMALL_COST),
        (replace(SMALL, model="claude-haiku-4-5"), SMALL_COST),
        (replace(SMALL, model="claude-fable-5-2"), 100 * 8000 + 10 * 40_000),
        (replace(SMALL, model="nobody knows it"), SMALL_COST),
    ],
)
def test_what_the_list_leaves_out_is_added(tally: Tally, nano_dollars: int) -> None:
    assert prices.cost(tally, *OPUS) == nano_dollars


@pytest.mark.parametrize(
    ("model", "tier", "factor"),
    [
        ("gpt-5", "priority", Decimal(2)),
        ("gpt-5", "fast", Decimal(2)),
        ("gpt-5.5", "priority", Decimal("2.5")),
        ("gpt-4.1", "priority", Decimal("1.75")),
        ("gpt-5-pro", "priority", Decimal(2)),
        ("gpt-5", "flex", Decimal(1)),
        ("gpt-5", "default", Decimal(1)),
    ],
)
def test_a_faster_tier_costs_what_the_list_says_or_twice_and_a_slower_one_the_same(
    model: str, tier: str, factor: Decimal
) -> None:
    plain = prices.cost(SMALL, "openai", model)
    assert prices.cost(replace(SMALL, service_tier=tier), "openai", model) == plain * factor


def test_a_region_costs_a_tenth_more_and_not_twice() -> None:
    assert prices.cost(SMALL, *OPUS, regional=True) == 825_000
    regional = ("bedrock", "us.anthropic.claude-opus-4-8-v1:0")
    assert prices.cost(SMALL, *regional, regional=True) == prices.cost(SMALL, *regional) == 825_000
    served = replace(SMALL, model="claude-opus-4-8")
    assert prices.cost(served, "bedrock", "global.anthropic.claude-opus-4-8-v1:0") == SMALL_COST


def test_rates_are_the_dearest_of_those_that_depend_on_size() -> None:
    found = prices.rates("anthropic", "claude-sonnet-4-5")
    assert (found.input, found.output, found.cache_read) == (6000, 22_500, 600)
    assert (found.cache_write_5m, found.cache_write_1h, found.known) == (7500, 12_000, True)


def test_prices_the_list_does_not_have_are_those_of_input() -> None:
    gpt = prices.rates("openai", "gpt-5")
    assert (gpt.cache_write_5m, gpt.cache_write_1h) == (gpt.input, gpt.input)
    bedrock = prices.rates("bedrock", "us.anthropic.claude-sonnet-4-20250514-v1:0")
    assert (bedrock.cache_write_5m, bedrock.cache_write_1h) == (3750, 2 * bedrock.input)
    assert prices.rates("openai", "o1-pro").cache_read == 150_000
    assert prices.rates("openai", "gpt-audio").output == 64_000


@pytest.mark.parametrize(
    ("provider", "model", "most"),
    [
        ("openai", "gpt-4o-2024-08-06", 16_384),
        ("openai", "gpt-4", 8192),
        ("openai", "gpt-5", 128_000),
        ("openai", "nobody", 128_000),
        ("anthropic", "claude-opus-4-8", 128_000),
    ],
)
def test_what_a_model_writes_at_most_is_bounded(provider: str, model: str, most: int) -> None:
    assert prices.rates(provider, model).max_output_tokens == most


@pytest.mark.parametrize(
    ("provider", "model", "output"),
    [
        ("anthropic", "claude-nobody-knows-9", 75_000),
        ("anthropic", "", 75_000),
        ("anthropic", "claude-opus-4-8" + "x" * 300, 75_000),
        ("openai", "gpt-99", 600_000),
        ("openai", "text-embedding-3-small", 600_000),
        ("openai", "omni-moderation-latest", 600_000),
        ("azure", "my-deployment", 600_000),
        ("bedrock", "arn:aws:bedrock:::application-inference-profile/x", 82_500),
        ("nobody", "claude-opus-4-8", 600_000),
        ("", "", 600_000),
        ("voyageai", "voyage-3", 600_000),
    ],
)
def test_what_nobody_knows_costs_what_the_dearest_does(provider: str, model: str, output: int) -> None:
    found = prices.rates(provider, model)
    assert not found.known
    assert found.output == output
    assert min(found.input, found.cache_read, found.cache_write_5m, found.cache_write_1h) > 0


def test_no_model_of_the_list_is_free() -> None:
    for provider in providers:
        for name in snapshot.names(provider.id):
            listed = snapshot.listing(provider.id, name)
            assert all(level.input and level.output for level in (*listed.levels, *listed.fast)), name


def test_a_model_that_is_given_away_costs_what_the_dearest_does() -> None:
    assert not prices.rates("openrouter", "meta-llama/llama-3.3-8b-instruct:free").known


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("geo", [True, False])
@pytest.mark.parametrize("regional", [True, False])
def test_the_worst_case_covers_what_a_request_can_ask_for(*, fast: bool, geo: bool, regional: bool) -> None:
    for provider, model in (OPUS, ("anthropic", "claude-sonnet-4-5"), ("openai", "gpt-5.5"), ("openai", "nobody")):
        read, written = prices.worst_case(provider, model, fast=fast, geo=geo, regional=regional)
        tier = "priority" if fast else ""
        for tokens in (1, 1000, 300_000):
            dear = Tally(0, 0, tokens, tokens, tokens, fast=fast, geo="us" if geo else "", service_tier=tier)
            assert prices.cost(dear, provider, model, regional=regional) <= tokens * (read + written)


def test_the_worst_case_is_exact_where_it_can_be() -> None:
    assert prices.worst_case(*OPUS) == (10_000, 25_000)
    assert prices.worst_case(*OPUS, fast=True) == (20_000, 50_000)
    assert prices.worst_case(*OPUS, geo=True) == (11_000, 27_500)
    assert prices.worst_case(*OPUS, fast=True, geo=True, regional=True) == (24_200, 60_500)


def test_models_that_converse_are_listed_in_order() -> None:
    found = prices.known_models("anthropic")
    assert list(found) == sorted(set(found))
    assert {"claude-opus-4-8", "claude-haiku-4-5"} <= set(found)
    openai = prices.known_models("openai")
    assert {"gpt-5", "gpt-4o", "o3"} <= set(openai)
    assert not {"text-embedding-3-small", "whisper-1", "tts-1", "gpt-image-1", "gpt-realtime", "davinci"} & set(openai)
    assert "gpt-5" in prices.known_models("azure")
    assert prices.known_models("nobody") == ()


def test_prices_by_time_of_day_are_the_dearest_and_prices_by_date_the_last() -> None:
    assert prices.rates("openai", "o3").input == 2000
    dear = max(
        each.prices.__dict__["output_mtok"]
        for model in next(each for each in providers if each.id == "deepseek").models
        if model.id == "deepseek-chat" and isinstance(model.prices, list)
        for each in model.prices
    )
    assert prices.rates("deepseek", "deepseek-chat").output == dear * 1000


def test_a_variant_without_prices_of_its_own_is_twice_the_standard() -> None:
    info = next(model for each in providers if each.id == "openai" for model in each.models if model.id == "gpt-5")
    assert info.price_variants is not None
    empty = [replace(each, prices=ModelPrice()) for each in info.price_variants]
    listed = snapshot._listed(replace(info, price_variants=empty))
    assert listed is not None
    assert listed.fast[0].output == 2 * listed.levels[0].output


def test_steps_may_begin_at_different_numbers() -> None:
    tiers = [Tier(start=10, price=Decimal(2)), Tier(start=20, price=Decimal(3))]
    price = ModelPrice(
        input_mtok=TieredPrices(base=Decimal(1), tiers=tiers),
        output_mtok=TieredPrices(base=Decimal(5), tiers=[Tier(start=15, price=Decimal(7))]),
        requests_kcount=Decimal(1),
    )
    info = ModelInfo(id="m", match=next(each for each in providers).models[0].match, prices=price)
    listed = snapshot._listed(info)
    assert listed is not None
    dollar = snapshot.FEMTO_PER_MTOK
    assert [(level.above, level.input // dollar, level.output // dollar) for level in listed.levels] == [
        (-1, 1, 5),
        (10, 2, 5),
        (15, 2, 7),
        (20, 3, 7),
    ]


def test_no_price_of_a_provider_in_use_changes_by_itself_after_the_list_was_made() -> None:
    # The last price by date counts at once. When this fails on a new version of the list, look at the later price.
    made = date(2026, 11, 20)
    for provider in providers:
        for model in provider.models if provider.id in {"anthropic", "openai", "aws", "azure"} else ():
            for each in model.prices if isinstance(model.prices, list) else ():
                assert each.constraint is None or (
                    isinstance(each.constraint, StartDateConstraint) and each.constraint.start_date <= made
                )


def test_the_list_has_a_name_with_a_digest_of_its_data() -> None:
    package, version, digest = prices.SNAPSHOT.split(" ")
    assert (package, version) == ("genai-prices", "0.2.3")
    assert len(digest) == 16
    assert snapshot.version() == prices.SNAPSHOT
    with pytest.raises(AttributeError):
        prices.NOTHING_ELSE  # noqa: B018 - looked at


LONELY = """
import sys, threading
seen = []
sys.addaudithook(lambda event, args: seen.append(event) if event.startswith("socket.") else None)
from connectors.llm import prices
from connectors.llm.metering.tally import Tally
assert "genai_prices" not in sys.modules, "imported before it was needed"
prices.load()
prices.cost(Tally(input_tokens=1), "anthropic", "claude-opus-4-8")
prices.rates("nobody", "knows")
prices.known_models("openai")
assert prices.SNAPSHOT
import genai_prices.data_snapshot
assert genai_prices.data_snapshot._custom_snapshot is None
assert threading.active_count() == 1, threading.enumerate()
assert not [event for event in seen if event not in ("socket.__new__", "socket.gethostname")], seen
assert "socket.__new__" not in seen, seen
"""


def test_prices_open_no_socket_start_no_thread_and_import_the_list_when_it_is_needed() -> None:
    subprocess.run([sys.executable, "-c", LONELY], check=True, timeout=60)
