"""Anthropic's events: cumulative usage, what stands where, and what is in no total."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.llm.metering.anthropic import EventReader
from connectors.llm.metering.tally import Tally
from connectors.llm.words import Dialect, Phase
from tests.unit.connectors.llm.metering.wire import PING, STOP, data, delta, event, followed, phases, start, text

MESSAGES = Dialect.MESSAGES


def tally(*parts: bytes) -> Tally:
    return followed(MESSAGES, *parts)[0].tally


def test_an_answer_is_prelude_then_content_then_its_end() -> None:
    block = event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    stream = (start(input_tokens=3, output_tokens=1), PING, block, PING, text("hi"), delta(output_tokens=2), STOP)
    follower, pieces = followed(MESSAGES, b"".join(stream))
    assert [piece.phase for piece in pieces] == [Phase.PRELUDE, Phase.CONTENT, Phase.END]
    assert pieces[0].raw == stream[0] + PING
    assert pieces[2].raw == STOP
    assert follower.ended
    assert follower.failure is None
    assert follower.tally == Tally(
        input_tokens=3, output_tokens=2, model="claude-opus-4-8", final=True, text_bytes=len("hi")
    )


def test_usage_is_the_last_value_that_is_not_null_and_never_a_sum() -> None:
    found = tally(
        start(input_tokens=10, cache_read_input_tokens=5, cache_creation_input_tokens=7, output_tokens=1),
        delta(output_tokens=20, input_tokens=None, cache_read_input_tokens=6),
        delta(output_tokens=30, input_tokens=11, cache_creation_input_tokens=None),
        STOP,
    )
    assert (found.input_tokens, found.cache_read_tokens, found.cache_write_tokens) == (11, 6, 7)
    assert found.output_tokens == 30


def test_caches_are_told_apart_by_time_and_a_total_that_grew_keeps_its_parts() -> None:
    parts = {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20}
    found = tally(start(cache_creation_input_tokens=30, cache_creation=parts), delta(cache_creation_input_tokens=100))
    assert (found.cache_write_tokens, found.cache_write_1h_tokens) == (100, 20)


def test_parts_of_a_cache_without_a_total_are_the_total() -> None:
    found = tally(start(cache_creation={"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 5}))
    assert (found.cache_write_tokens, found.cache_write_1h_tokens) == (9, 5)


def test_only_iterations_that_are_in_no_total_are_kept_apart() -> None:
    entry = {"input_tokens": 100, "output_tokens": 10, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 4}
    entries = [
        entry | {"type": "message", "model": "claude-opus-4-8"},
        entry | {"type": "compaction"},
        entry | {"type": "advisor_message", "model": "claude-fable-5-2"},
        "nonsense",
    ]
    found = tally(start(input_tokens=1), delta(output_tokens=1, iterations=entries))
    assert (found.iterations_input_tokens, found.iterations_output_tokens) == (200, 20)
    assert (found.iterations_cache_read_tokens, found.iterations_cache_write_tokens) == (6, 8)
    assert found.iterations_models == ("claude-fable-5-2",)
    assert found.model == "claude-opus-4-8"


def test_a_later_list_of_iterations_replaces_the_one_before() -> None:
    entry = {"type": "compaction", "input_tokens": 100, "output_tokens": 10}
    found = tally(delta(output_tokens=1, iterations=[entry]), delta(iterations=[entry, entry]), delta(iterations=None))
    assert found.iterations_input_tokens == 200


def test_the_model_that_stepped_in_is_the_one_that_answered() -> None:
    entries = [{"type": "fallback_message", "model": "claude-opus-5", "input_tokens": 1, "output_tokens": 1}]
    found = tally(start("claude-sonnet-5"), delta(output_tokens=1, iterations=entries))
    assert found.model == "claude-opus-5"
    assert found.iterations_input_tokens == 0


def test_what_makes_an_answer_dearer_is_noted() -> None:
    found = tally(
        start(speed="fast", inference_geo="US", service_tier="priority", server_tool_use={"web_search_requests": 1}),
        delta(output_tokens=1, server_tool_use={"web_search_requests": 3}),
    )
    assert (found.fast, found.geo, found.service_tier, found.web_searches) == (True, "us", "priority", 3)


def test_a_speed_that_was_taken_back_is_not_paid() -> None:
    assert not tally(start(speed="fast"), delta(speed="standard")).fast


@pytest.mark.parametrize(
    ("parts", "final"),
    [
        ((start(output_tokens=1), text("a"), delta(output_tokens=2)), False),
        ((start(output_tokens=1), text("a"), STOP), False),
        ((start(output_tokens=1), text("a"), delta(output_tokens=None), STOP), False),
        ((start(output_tokens=1), delta(output_tokens=2), delta(), STOP), True),
    ],
)
def test_usage_is_final_when_it_was_said_and_the_answer_ended(parts: tuple[bytes, ...], *, final: bool) -> None:
    assert tally(*parts).final is final


def test_an_error_is_one_and_nothing_ends_after_it() -> None:
    error = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    follower, pieces = followed(MESSAGES, start(output_tokens=1), error, STOP)
    assert [piece.phase for piece in pieces] == [Phase.PRELUDE, Phase.ERROR, Phase.ERROR]
    assert follower.failure == ("overloaded_error", "Overloaded")
    assert not follower.ended
    assert not follower.tally.final


def test_words_of_the_model_that_look_like_events_are_text() -> None:
    decoy = '\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n "usage":{"output_tokens":0} event: error'
    follower, pieces = followed(MESSAGES, start(output_tokens=5), text(decoy), text('"text":"'))
    assert [piece.phase for piece in pieces] == [Phase.PRELUDE, Phase.CONTENT, Phase.CONTENT]
    assert follower.failure is None
    assert follower.tally.output_tokens == 5


def test_every_kind_of_text_is_counted() -> None:
    deltas = [
        {"type": "thinking_delta", "thinking": "ab"},
        {"type": "input_json_delta", "partial_json": '{"'},
        {"type": "signature_delta", "signature": "abc"},
        {"type": "text_delta", "text": "é\n"},
    ]
    found = tally(*(event("content_block_delta", index=0, delta=each) for each in deltas))
    assert found.text_bytes == 2 + len(r"{\"") + 3 + len(r"é\n".encode())


def test_text_in_the_start_of_a_block_is_counted_and_a_kind_nobody_knows_counts_whole() -> None:
    block = event("content_block_start", index=0, content_block={"type": "text", "text": "abcd"})
    unknown = event("content_block_delta", index=0, delta={"type": "new_delta", "novel": "x"})
    assert tally(block, event("content_block_stop", index=0)).text_bytes == 4
    assert tally(unknown).text_bytes == len(unknown)


def test_events_without_a_line_for_their_kind_are_read_by_their_data() -> None:
    stream = [part.split(b"\n", 1)[1] for part in (start(input_tokens=3), text("é"), delta(output_tokens=2), STOP)]
    follower, pieces = followed(MESSAGES, *stream)
    assert [piece.phase for piece in pieces] == [Phase.PRELUDE, Phase.CONTENT, Phase.CONTENT, Phase.END]
    assert (follower.tally.input_tokens, follower.tally.output_tokens) == (3, 2)
    assert follower.tally.text_bytes == 2
    assert follower.tally.final


def test_the_line_for_the_kind_counts_when_the_data_has_none() -> None:
    follower, pieces = followed(MESSAGES, text("a"), b"event: message_stop\ndata: {}\n\n")
    assert pieces[-1].phase is Phase.END
    assert follower.ended


def test_comments_are_no_content_and_what_does_not_parse_is() -> None:
    assert phases(MESSAGES, b": hello\n\n", b"\n\n", start(), text("a"), b": still there\n\n") == [
        *[Phase.PRELUDE] * 3,
        *[Phase.CONTENT] * 2,
    ]
    assert phases(MESSAGES, b"event: message_start\ndata: {nonsense\n\n") == [Phase.CONTENT]
    assert phases(MESSAGES, data([1])) == [Phase.CONTENT]


def test_events_that_came_in_frames_are_read_as_they_are() -> None:
    reader = EventReader()
    events: list[dict[str, Any]] = [
        {"type": "ping"},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "é"}},
        {"type": "ping"},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_start"},
        {"type": ["no", "name"]},
        {},
        {"type": "message_stop"},
    ]
    assert [reader.read(each) for each in events] == [Phase.PRELUDE, *[Phase.CONTENT] * 7, Phase.END]
    assert reader.tally == Tally(text_bytes=2)


@pytest.mark.parametrize("said", [True, "12", -1, float("nan"), [], {}, None])
def test_numbers_that_are_none_are_passed_over(said: Any) -> None:
    reader = EventReader()
    reader.read({"type": "message_start", "message": {"usage": {"input_tokens": 7, "output_tokens": 7}}})
    assert reader.read({"type": "message_delta", "usage": {"input_tokens": said, "output_tokens": said}}) is (
        Phase.CONTENT
    )
    assert (reader.tally.input_tokens, reader.tally.output_tokens) == (7, 7)


@pytest.mark.parametrize("said", [{}, {"message": None}, {"message": [1]}, {"message": {"usage": 3, "model": 4}}])
def test_a_start_that_says_nothing_is_still_one(said: dict[str, Any]) -> None:
    reader = EventReader()
    assert reader.read({"type": "message_start"} | said) is Phase.PRELUDE
    assert reader.tally == Tally()


def test_an_absurd_number_is_cut_so_that_prices_stay_numbers() -> None:
    assert tally(start(input_tokens=10**18, output_tokens=1.5)).input_tokens == 10**9
    assert tally(start(input_tokens=10**18, output_tokens=1.5)).output_tokens == 2
