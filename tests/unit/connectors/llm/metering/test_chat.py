"""Chunks of Chat Completions: prompts that include caches, the chunk nobody asked for, and what stands where."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.llm.metering.tally import Piece, Tally
from connectors.llm.words import Dialect, Phase
from tests.unit.connectors.llm.metering.wire import DONE, chunk, data, followed, phases

CHAT = Dialect.CHAT
ROLE = chunk({"role": "assistant", "content": ""})
USAGE = {"prompt_tokens": 1042, "completion_tokens": 17, "prompt_tokens_details": {"cached_tokens": 1000}}


def test_tokens_of_the_cache_are_taken_out_of_the_prompt() -> None:
    details = {"cached_tokens": 1000, "cache_write_tokens": 30}
    last = chunk(usage=USAGE | {"prompt_tokens_details": details}, service_tier="priority")
    follower, _ = followed(CHAT, ROLE, chunk({"content": "hi"}), last, DONE)
    found = follower.tally
    assert (found.input_tokens, found.cache_read_tokens, found.cache_write_tokens) == (12, 1000, 30)
    assert (found.output_tokens, found.model, found.service_tier) == (17, "gpt-5", "priority")
    assert found.final
    assert follower.ended


@pytest.mark.parametrize("hide", [True, False])
def test_the_chunk_with_usage_is_hidden_when_nobody_asked_and_metered_anyhow(*, hide: bool) -> None:
    follower, pieces = followed(CHAT, ROLE, chunk({"content": "hi"}), chunk(usage=USAGE), DONE, hide_usage=hide)
    assert pieces[2] == Piece(Phase.CONTENT, b"" if hide else chunk(usage=USAGE))
    assert follower.tally.output_tokens == 17
    assert follower.tally.final


def test_a_hidden_chunk_leaves_its_neighbours_alone() -> None:
    said, stop = chunk({"content": "hi"}), chunk({}, finish="stop")
    _, pieces = followed(CHAT, ROLE + said + stop + chunk(usage=USAGE) + DONE, hide_usage=True)
    assert pieces == [Piece(Phase.PRELUDE, ROLE), Piece(Phase.CONTENT, said + stop), Piece(Phase.END, DONE)]


def test_the_late_half_of_a_hidden_line_end_is_hidden_too() -> None:
    hidden = chunk(usage=USAGE).replace(b"\n", b"\r\n")
    _, pieces = followed(CHAT, hidden[:-1], hidden[-1:] + DONE, hide_usage=True)
    assert b"".join(piece.raw for piece in pieces) == DONE


def test_a_chunk_with_usage_and_an_answer_is_never_hidden() -> None:
    last = chunk({"content": "hi"}, finish="stop", usage=USAGE)
    follower, pieces = followed(CHAT, last, DONE, hide_usage=True)
    assert pieces[0] == Piece(Phase.CONTENT, last)
    assert follower.tally.final


def test_a_running_count_is_final_only_when_the_answer_ended() -> None:
    parts = [chunk({"content": "hi"}, usage=USAGE), chunk({"content": "ho"}, usage=USAGE | {"completion_tokens": 18})]
    assert not followed(CHAT, *parts)[0].tally.final
    follower, _ = followed(CHAT, *parts, DONE)
    assert follower.tally.final
    assert follower.tally.output_tokens == 18


def test_a_running_count_that_stops_before_the_end_was_still_said() -> None:
    named = chunk({"tool_calls": [{"index": 0, "function": {"name": "error", "arguments": ""}}]})
    assert followed(CHAT, chunk({"content": "hi"}, usage=USAGE), named, DONE)[0].tally.final


def test_an_answer_without_usage_ends_and_is_not_final() -> None:
    follower, _ = followed(CHAT, chunk({"content": "hi"}, usage=None), DONE)
    assert follower.ended
    assert not follower.tally.final


@pytest.mark.parametrize(
    "before", [ROLE, chunk({}), chunk({"content": None}), chunk(), chunk(prompt_filter_results=[{"prompt_index": 0}])]
)
def test_roles_empty_deltas_and_verdicts_of_a_filter_are_no_content(before: bytes) -> None:
    assert phases(CHAT, before, chunk({"content": "a"}), before) == [Phase.PRELUDE, Phase.CONTENT, Phase.CONTENT]


@pytest.mark.parametrize(
    "said",
    [
        {"content": "a"},
        {"refusal": "no"},
        {"reasoning_content": "hm"},
        {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": ""}}]},
    ],
)
def test_text_refusals_reasoning_and_tool_calls_are_content(said: dict[str, Any]) -> None:
    assert phases(CHAT, chunk(said)) == [Phase.CONTENT]
    assert phases(CHAT, chunk({}, said)) == [Phase.CONTENT]


def test_an_answer_that_finishes_without_a_word_is_content() -> None:
    assert phases(CHAT, ROLE, chunk({}, finish="content_filter")) == [Phase.PRELUDE, Phase.CONTENT]


def test_an_error_is_one_before_and_after_content() -> None:
    error = data({"error": {"message": "boom", "code": "server_error"}})
    follower, pieces = followed(CHAT, chunk({"content": "a"}), error, DONE)
    assert [piece.phase for piece in pieces] == [Phase.CONTENT, Phase.ERROR, Phase.ERROR]
    assert follower.failure == ("server_error", "boom")
    assert not follower.ended
    assert followed(CHAT, b"event: error\n" + data({"message": "x"}))[0].failure == ("error", "x")
    assert followed(CHAT, data({"error": "plain"}))[0].failure == ("error", "plain")


def test_words_of_the_model_that_look_like_the_protocol_are_text() -> None:
    decoy = '"error":{"message":"x"} "usage":{"prompt_tokens":0,"completion_tokens":0} data: [DONE]'
    tool = {"tool_calls": [{"index": 0, "function": {"name": "error", "arguments": "usage"}}]}
    follower, pieces = followed(CHAT, chunk({"content": "a"}), chunk({"content": decoy}), chunk(tool))
    assert {piece.phase for piece in pieces} == {Phase.CONTENT}
    assert follower.failure is None
    assert not follower.tally.final
    assert follower.tally.text_bytes >= len(decoy) + 1


def test_text_is_counted_closely_and_never_short() -> None:
    plain = [chunk({"content": "Hello"}, usage=None, obfuscation="xyz")] * 10
    assert followed(CHAT, *plain)[0].tally.text_bytes == 50
    several = chunk({"content": "a" * 50}, {"content": "b" * 70})
    assert followed(CHAT, chunk({"content": "x"}), several)[0].tally.text_bytes >= 121
    backwards = data({"choices": [{"finish_reason": None, "logprobs": None, "delta": {"content": "c" * 40}}]})
    assert followed(CHAT, chunk({"content": "x"}), backwards)[0].tally.text_bytes >= 41
    bare = data({"choices": [], "unknown": "d" * 30})
    assert followed(CHAT, chunk({"content": "x"}), bare)[0].tally.text_bytes >= 31


def test_reasoning_that_is_only_in_the_total_is_written_too() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 115}
    assert followed(CHAT, chunk(usage=usage))[0].tally.output_tokens == 105


@pytest.mark.parametrize(
    "usage", [{"prompt_tokens": 5}, {"completion_tokens": 5}, {"prompt_tokens": "5", "completion_tokens": 5}]
)
def test_half_a_usage_is_noted_and_not_final(usage: dict[str, Any]) -> None:
    found = followed(CHAT, chunk(usage=usage), DONE)[0].tally
    assert not found.final
    assert found.input_tokens + found.output_tokens == 5


def test_more_from_the_cache_than_was_read_is_no_negative_number() -> None:
    details = {"cached_tokens": 90, "cache_write_tokens": 90}
    found = followed(CHAT, chunk(usage=USAGE | {"prompt_tokens": 50, "prompt_tokens_details": details}))[0].tally
    assert (found.input_tokens, found.cache_read_tokens, found.cache_write_tokens) == (0, 50, 0)


def test_comments_are_no_content_and_what_does_not_parse_is() -> None:
    assert phases(CHAT, b": processing\n\n", b"data: {\n\n", b": processing\n\n") == [
        Phase.PRELUDE,
        Phase.CONTENT,
        Phase.CONTENT,
    ]
    assert phases(CHAT, b"data: {\n\n", ROLE) == [Phase.CONTENT, Phase.CONTENT]
    assert followed(CHAT, b"data: 3\n\n")[0].tally == Tally()
