"""What a call is settled with, when all was said and when it was not."""

from __future__ import annotations

from functools import partial

import pytest

from connectors.llm import prices
from connectors.llm.metering.tally import Tally
from connectors.llm.metering.usage import usage_of

usage = partial(usage_of, provider="anthropic", model="claude-opus-4-8", upstream="first", request_tokens=1000)


def test_a_final_tally_is_settled_as_it_is() -> None:
    found = usage(Tally(input_tokens=42, cache_read_tokens=1000, cache_write_tokens=200, output_tokens=17, final=True))
    assert (found.input_tokens, found.output_tokens, found.tokens) == (1242, 17, 1259)
    assert (found.cache_read_tokens, found.cache_write_tokens) == (1000, 200)
    assert found.nano_dollars == 2_385_000
    assert not found.estimated
    assert (found.calls, found.model, found.upstream) == (1, "anthropic/claude-opus-4-8", "first")
    assert found.prices == prices.SNAPSHOT


def test_iterations_in_no_total_are_tokens_too() -> None:
    found = usage(
        Tally(
            input_tokens=1,
            output_tokens=1,
            iterations_input_tokens=10,
            iterations_cache_read_tokens=20,
            iterations_cache_write_tokens=30,
            iterations_output_tokens=40,
            final=True,
        )
    )
    assert (found.input_tokens, found.output_tokens) == (61, 41)
    assert (found.cache_read_tokens, found.cache_write_tokens) == (20, 30)


def test_of_a_cut_stream_the_rest_is_estimated_upwards() -> None:
    found = usage(Tally(input_tokens=42, output_tokens=1, text_bytes=400))
    assert (found.input_tokens, found.output_tokens, found.estimated) == (42, 101, True)
    assert found.nano_dollars == 42 * 5000 + 101 * 25000


def test_what_was_said_is_not_estimated_down() -> None:
    assert usage(Tally(input_tokens=42, output_tokens=500, text_bytes=400)).output_tokens == 500


def test_a_request_nobody_counted_is_what_was_reserved_for_it() -> None:
    assert usage(Tally(text_bytes=4)).input_tokens == 1000
    assert usage(Tally(text_bytes=4)).output_tokens == 2
    assert usage(Tally(cache_read_tokens=5)).input_tokens == 5


def test_an_answer_of_which_nothing_came_is_read_and_not_written() -> None:
    found = usage(Tally())
    assert (found.input_tokens, found.output_tokens, found.estimated) == (1000, 0, True)


@pytest.mark.parametrize(
    "tally",
    [Tally(input_tokens=5, text_bytes=1, final=True), Tally(output_tokens=5, final=True)],
)
def test_an_upstream_that_says_nothing_was_read_or_written_is_not_believed(tally: Tally) -> None:
    found = usage(tally)
    assert found.estimated
    assert found.input_tokens
    assert found.output_tokens
    assert found.nano_dollars


def test_counting_tokens_costs_nothing() -> None:
    found = usage(Tally(final=True))
    assert (found.tokens, found.nano_dollars, found.estimated) == (0, 0, False)


def test_a_region_costs_a_tenth_more() -> None:
    tally = Tally(input_tokens=1000, output_tokens=100, final=True)
    assert usage(tally, regional=True).nano_dollars * 10 == usage(tally).nano_dollars * 11
