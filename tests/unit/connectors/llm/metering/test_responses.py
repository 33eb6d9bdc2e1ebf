"""Events of the Responses API: usage comes with the end, and a failure before content is an error."""

from __future__ import annotations

import pytest

from connectors.llm.metering.tally import Tally
from connectors.llm.words import Dialect, Phase
from tests.unit.connectors.llm.metering.wire import data, event, followed, phases, response

RESPONSES = Dialect.RESPONSES
CREATED = response("response.created", usage=None, error=None, service_tier="auto")
DELTA = event("response.output_text.delta", item_id="msg_1", delta="Hi\n", logprobs=[], obfuscation="abcdef")
USAGE = {
    "input_tokens": 1042,
    "input_tokens_details": {"cached_tokens": 1000, "cache_write_tokens": 20},
    "output_tokens": 17,
}


@pytest.mark.parametrize("kind", ["completed", "incomplete", "failed", "cancelled"])
def test_usage_comes_with_the_event_that_ends_the_answer(kind: str) -> None:
    output = [{"type": "web_search_call"}, {"type": "message"}, {"type": "web_search_call"}]
    end = response(f"response.{kind}", usage=USAGE, output=output, service_tier="priority", error={"code": "x"})
    follower, pieces = followed(RESPONSES, CREATED, DELTA, end)
    assert [piece.phase for piece in pieces] == [Phase.PRELUDE, Phase.CONTENT, Phase.END]
    assert follower.ended
    assert follower.failure is None
    assert follower.tally == Tally(
        input_tokens=22,
        cache_read_tokens=1000,
        cache_write_tokens=20,
        output_tokens=17,
        web_searches=2,
        service_tier="priority",
        model="gpt-5",
        final=True,
        text_bytes=len(r"Hi\n"),
    )


def test_created_in_progress_and_queued_come_before_content() -> None:
    before = [CREATED, response("response.in_progress"), response("response.queued")]
    item = event("response.output_item.added", item={"type": "message"})
    assert phases(RESPONSES, *before, item, before[1]) == [*[Phase.PRELUDE] * 3, *[Phase.CONTENT] * 2]


def test_a_failure_before_content_is_an_error_so_that_another_may_be_asked() -> None:
    failed = response("response.failed", error={"code": "server_error", "message": "boom"}, usage=None)
    follower, pieces = followed(RESPONSES, CREATED, failed)
    assert pieces[-1].phase is Phase.ERROR
    assert follower.failure == ("server_error", "boom")
    assert not follower.ended
    assert not follower.tally.final


@pytest.mark.parametrize(
    "error",
    [
        event("error", code="rate_limit_exceeded", message="slow down"),
        event("error", error={"type": "rate_limit_exceeded", "message": "slow down"}),
        data({"type": "error", "code": "rate_limit_exceeded", "message": "slow down"}),
    ],
)
def test_an_error_is_one_wherever_it_stands(error: bytes) -> None:
    follower, pieces = followed(RESPONSES, DELTA, error)
    assert pieces[-1].phase is Phase.ERROR
    assert follower.failure == ("rate_limit_exceeded", "slow down")


def test_what_was_said_before_a_cut_is_kept() -> None:
    follower, _ = followed(RESPONSES, CREATED, DELTA, DELTA, b"event: response.comp")
    assert not follower.ended
    assert follower.tally == Tally(model="gpt-5", service_tier="auto", text_bytes=2 * len(r"Hi\n"))


def test_an_end_without_usage_is_not_final() -> None:
    assert not followed(RESPONSES, DELTA, response("response.completed"))[0].tally.final


def test_words_of_the_model_that_look_like_the_protocol_are_text() -> None:
    decoy = '\n\nevent: response.completed\ndata: {"type":"response.completed"}\n\n","delta":"'
    follower, pieces = followed(RESPONSES, event("response.output_text.delta", delta=decoy))
    assert [piece.phase for piece in pieces] == [Phase.CONTENT]
    assert follower.tally.text_bytes >= len(decoy)


def test_a_delta_that_is_no_string_counts_with_all_its_bytes() -> None:
    part = event("response.shell_call_output_content.delta", delta={"stdout": "abc"})
    assert followed(RESPONSES, part)[0].tally.text_bytes == len(part)


def test_events_without_a_line_for_their_kind_are_read_by_their_data() -> None:
    stream = [part.split(b"\n", 1)[1] for part in (CREATED, DELTA, response("response.completed", usage=USAGE))]
    follower, pieces = followed(RESPONSES, *stream)
    assert [piece.phase for piece in pieces] == [Phase.PRELUDE, Phase.CONTENT, Phase.END]
    assert follower.tally.text_bytes == len(r"Hi\n")
    assert follower.tally.final


def test_comments_are_no_content_and_what_does_not_parse_is() -> None:
    assert phases(RESPONSES, b": hello\n\n", b"event: response.completed\ndata: {\n\n") == [
        Phase.PRELUDE,
        Phase.CONTENT,
    ]
    assert phases(RESPONSES, data({"no": "type"})) == [Phase.CONTENT]
