"""Units of answers that are no streams."""

from __future__ import annotations

import json

import pytest

from connectors.llm.metering.tally import Tally
from connectors.llm.metering.whole import tally_of
from connectors.llm.words import Dialect


def body(**fields: object) -> bytes:
    return json.dumps(fields).encode()


@pytest.mark.parametrize("dialect", [Dialect.MESSAGES, Dialect.INVOKE])
def test_a_message_says_its_usage(dialect: Dialect) -> None:
    usage = {"input_tokens": 42, "cache_read_input_tokens": 1000, "cache_creation_input_tokens": 200}
    answer = body(model="claude-opus-4-8", content=[], usage=usage | {"output_tokens": 17, "speed": "fast"})
    assert tally_of(dialect, answer) == Tally(
        input_tokens=42,
        cache_read_tokens=1000,
        cache_write_tokens=200,
        output_tokens=17,
        fast=True,
        model="claude-opus-4-8",
        final=True,
    )


def test_a_chat_completion_says_its_usage() -> None:
    usage = {"prompt_tokens": 1042, "completion_tokens": 17, "prompt_tokens_details": {"cached_tokens": 1000}}
    found = tally_of(Dialect.CHAT, body(model="gpt-5", service_tier="flex", usage=usage))
    assert found == Tally(
        input_tokens=42, cache_read_tokens=1000, output_tokens=17, service_tier="flex", model="gpt-5", final=True
    )


def test_a_response_says_its_usage() -> None:
    usage = {"input_tokens": 1042, "output_tokens": 17, "input_tokens_details": {"cached_tokens": 1000}}
    found = tally_of(Dialect.RESPONSES, body(model="gpt-5", usage=usage, output=[{"type": "web_search_call"}]))
    assert found == Tally(
        input_tokens=42, cache_read_tokens=1000, output_tokens=17, web_searches=1, model="gpt-5", final=True
    )


def test_counting_tokens_came_to_nothing() -> None:
    assert tally_of(Dialect.MESSAGES, body(input_tokens=14)) == Tally(final=True)


def test_an_answer_does_not_pass_for_a_count_of_tokens() -> None:
    answer = body(input_tokens=14, usage={"input_tokens": 14, "output_tokens": 3})
    assert tally_of(Dialect.MESSAGES, answer).output_tokens == 3
    assert not tally_of(Dialect.MESSAGES, body(input_tokens=14, content=[])).final


@pytest.mark.parametrize("dialect", list(Dialect))
@pytest.mark.parametrize("answer", [b"", b"{", b"[]", b"null", b"{}", b"[" * 5000, b'{"usage":null}', b"\xff"])
def test_an_answer_without_usage_is_not_final_and_all_of_it_is_text(dialect: Dialect, answer: bytes) -> None:
    assert tally_of(dialect, answer) == Tally(text_bytes=len(answer))


def test_an_answer_that_says_half_of_it_is_not_final() -> None:
    assert not tally_of(Dialect.MESSAGES, body(content=[], usage={"input_tokens": 4})).final
    assert not tally_of(Dialect.CHAT, body(usage={"prompt_tokens": 4})).final
    assert not tally_of(Dialect.RESPONSES, body(usage={"output_tokens": 4})).final
