"""Streams of Bedrock's, for clients that speak to Bedrock and for those that speak to Anthropic."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.llm.bedrock.frames import encode
from connectors.llm.bedrock.stream import CORRUPT, BedrockFollower, as_frames, as_sse
from connectors.llm.metering.follow import follower
from connectors.llm.metering.tally import Piece
from connectors.llm.words import Dialect, Phase

USAGE = {"input_tokens": 42, "cache_read_input_tokens": 1000, "cache_creation_input_tokens": 200}
METRICS = {
    "inputTokenCount": 43,
    "outputTokenCount": 18,
    "cacheReadInputTokenCount": 1001,
    "cacheWriteInputTokenCount": 201,
    "invocationLatency": 7,
}
START = {"type": "message_start", "message": {"model": "claude-opus-4-8", "usage": {**USAGE, "output_tokens": 1}}}
PING = {"type": "ping"}
OPEN = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
HELLO = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "héllo"}}
DELTA = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 17}}
STOP = {"type": "message_stop"}
LAST = {**STOP, "amazon-bedrock-invocationMetrics": METRICS}
ANSWER = [START, PING, OPEN, HELLO, DELTA, LAST]
EITHER = pytest.mark.parametrize("form", [as_frames, as_sse])
Form = Callable[[], BedrockFollower]


def frame(event: Any, **headers: str) -> bytes:
    payload = json.dumps({"bytes": base64.b64encode(json.dumps(event).encode()).decode(), "p": "abc"}).encode()
    return raw_frame(payload, **headers)


def raw_frame(payload: bytes, **headers: str) -> bytes:
    named = {f":{name.replace('_', '-')}": value for name, value in headers.items()}
    return encode(
        {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event", **named}, payload
    )


def exception(name: str, payload: bytes = b'{"message":"slow down"}') -> bytes:
    return encode({":exception-type": name, ":message-type": "exception"}, payload)


def follow(found: BedrockFollower, *chunks: bytes) -> list[Piece]:
    return [piece for chunk in chunks for piece in found.feed(chunk)] + found.finish()


def cut_into(raw: bytes, sizes: list[int]) -> list[bytes]:
    """The same bytes in pieces of these sizes, over and over."""
    chunks: list[bytes] = []
    at = 0
    while at < len(raw):
        size = sizes[len(chunks) % len(sizes)]
        chunks.append(raw[at : at + size])
        at += size
    return chunks


def phases(pieces: Sequence[Piece]) -> list[Phase]:
    return [piece.phase for piece in pieces]


def joined(pieces: Sequence[Piece]) -> bytes:
    return b"".join(piece.raw for piece in pieces)


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(
        b"event: %s\ndata: %s\n\n" % (event["type"].encode(), json.dumps(event).encode()) for event in events
    )


@EITHER
def test_an_answer_is_metered_and_split_where_its_phases_change(form: Form) -> None:
    found = form()
    pieces = follow(found, b"".join(map(frame, ANSWER)))
    assert phases(pieces) == [Phase.PRELUDE, Phase.CONTENT, Phase.END]
    assert (found.ended, found.failure) == (True, None)
    tally = found.tally
    # The events' own usage counts; the metrics, which say something else here, are there for when they said none.
    assert (tally.input_tokens, tally.output_tokens) == (42, 17)
    assert (tally.cache_read_tokens, tally.cache_write_tokens) == (1000, 200)
    assert (tally.model, tally.final) == ("claude-opus-4-8", True)
    assert tally.text_bytes >= len("héllo".encode())


def test_a_client_of_bedrock_gets_every_byte() -> None:
    raw = b"".join(map(frame, ANSWER))
    assert joined(follow(as_frames(), raw)) == raw


def test_a_client_of_anthropic_gets_the_events_as_anthropic_would_send_them() -> None:
    raw = joined(follow(as_sse(), b"".join(map(frame, ANSWER))))
    expected = sse(START, PING, OPEN, HELLO, DELTA) + b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    assert raw == expected
    theirs = follower(Dialect.MESSAGES)
    theirs.feed(raw)
    ours = as_sse()
    follow(ours, b"".join(map(frame, ANSWER)))
    assert ours.tally.output_tokens == theirs.tally.output_tokens
    assert theirs.ended


@EITHER
def test_the_metrics_count_when_the_events_said_no_usage(form: Form) -> None:
    found = form()
    follow(found, frame({"type": "message_start", "message": {}}), frame(HELLO), frame(LAST))
    tally = found.tally
    assert (tally.input_tokens, tally.output_tokens) == (43, 18)
    assert (tally.cache_read_tokens, tally.cache_write_tokens, tally.final) == (1001, 201, True)


@EITHER
def test_metrics_that_make_no_sense_are_not_the_last_word(form: Form) -> None:
    found = form()
    odd = {"inputTokenCount": -5, "outputTokenCount": "many", "cacheReadInputTokenCount": True}
    follow(found, frame(START), frame({**STOP, "amazon-bedrock-invocationMetrics": odd}))
    assert (found.ended, found.tally.final) == (True, False)
    assert (found.tally.input_tokens, found.tally.output_tokens, found.tally.cache_read_tokens) == (42, 1, 1000)


@EITHER
def test_the_frame_with_the_metrics_ends_an_answer_whatever_its_event(form: Form) -> None:
    found = form()
    pieces = follow(found, frame(HELLO), frame({**DELTA, "amazon-bedrock-invocationMetrics": METRICS}))
    assert phases(pieces) == [Phase.CONTENT, Phase.END]
    assert found.ended


@EITHER
def test_without_the_last_event_an_answer_has_not_ended(form: Form) -> None:
    found = form()
    pieces = follow(found, b"".join(map(frame, ANSWER[:-1])))
    assert phases(pieces) == [Phase.PRELUDE, Phase.CONTENT]
    assert (found.ended, found.tally.final) == (False, False)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("throttlingException", "rate_limit_error"),
        ("modelStreamErrorException", "api_error"),
        ("serviceUnavailableException", "overloaded_error"),
        ("modelTimeoutException", "timeout_error"),
    ],
)
@pytest.mark.parametrize("before", [[START, PING], [START, PING, OPEN, HELLO]])
def test_an_exception_in_the_stream_is_an_error(name: str, kind: str, before: list[dict[str, Any]]) -> None:
    raw = b"".join(map(frame, before)) + exception(name)
    frames, events = as_frames(), as_sse()
    as_sent, as_told = follow(frames, raw), follow(events, raw)
    assert phases(as_sent) == phases(as_told)
    assert phases(as_told)[-1] is Phase.ERROR
    assert joined(as_sent) == raw
    assert as_told[-1].raw.startswith(b"event: error\ndata: ")
    told = json.loads(as_told[-1].raw.partition(b"data: ")[2])
    assert told == {"type": "error", "error": {"type": kind, "message": "slow down"}}
    assert frames.failure == (name, "slow down")
    assert events.failure == (kind, "slow down")
    assert not frames.ended
    assert not events.ended


@EITHER
def test_an_error_without_words_is_an_error_all_the_same(form: Form) -> None:
    found = form()
    raw = encode({":message-type": "error", ":error-code": "InternalFailure", ":error-message": "oh"}, b"")
    assert phases(follow(found, raw)) == [Phase.ERROR]
    assert found.failure is not None
    assert found.failure[1] == "oh"
    silent = form()
    follow(silent, encode({":message-type": "exception"}, b"\xff"))
    assert silent.failure is not None


@EITHER
def test_the_first_error_is_the_failure(form: Form) -> None:
    found = form()
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}
    pieces = follow(found, frame(START), frame(error))
    assert phases(pieces) == [Phase.PRELUDE, Phase.ERROR]
    assert found.failure == ("overloaded_error", "busy")


@EITHER
def test_after_a_frame_that_does_not_fit_nothing_is_given_and_nothing_ends(form: Form) -> None:
    bad = bytearray(frame(HELLO))
    bad[-20] ^= 1
    found = form()
    pieces = found.feed(frame(START) + frame(HELLO) + bytes(bad) + frame(LAST))
    assert phases(pieces) == [Phase.PRELUDE, Phase.CONTENT, Phase.ERROR]
    assert found.failure is not None
    assert found.failure[0] == CORRUPT
    assert found.feed(frame(LAST)) == []
    assert found.finish() == []
    assert not found.ended
    whole = form()
    assert joined(pieces).startswith(joined(whole.feed(frame(START) + frame(HELLO))))


def test_a_client_of_anthropic_is_told_of_a_corrupt_stream_and_one_of_bedrock_gets_no_corrupt_byte() -> None:
    bad = frame(HELLO)[:-1] + b"\x00"
    assert follow(as_frames(), bad) == [Piece(Phase.ERROR, b"")]
    (piece,) = follow(as_sse(), bad)
    assert json.loads(piece.raw.partition(b"data: ")[2])["error"]["type"] == "api_error"


@EITHER
def test_rubbish_behind_the_end_does_not_undo_it(form: Form) -> None:
    found = form()
    pieces = found.feed(b"".join(map(frame, ANSWER)) + bytes(64))
    assert phases(pieces) == [Phase.PRELUDE, Phase.CONTENT, Phase.END]
    assert (found.ended, found.failure) == (True, None)


@pytest.mark.parametrize(
    "payload",
    [b"", b"[]", b'{"bytes": 7}', b'{"bytes": "%%%"}', b'{"bytes": "W10="}', b'{"bytes": "e3!0="}', b'{"p": ""}'],
)
def test_a_chunk_that_cannot_be_read_passes_to_those_who_can_see_it_and_ends_it_for_others(payload: bytes) -> None:
    raw = raw_frame(payload)
    frames, events = as_frames(), as_sse()
    assert follow(frames, raw + frame(LAST))[0].raw == raw
    assert frames.ended
    assert phases(follow(events, frame(START) + raw + frame(LAST))) == [Phase.PRELUDE, Phase.ERROR]
    assert events.failure is not None
    assert events.failure[0] == CORRUPT
    assert not events.ended


def test_a_frame_of_a_kind_nobody_knows_passes_in_frames_only() -> None:
    raw = raw_frame(b"{}", event_type="news")
    assert follow(as_frames(), raw) == [Piece(Phase.CONTENT, raw)]
    assert follow(as_sse(), frame(START) + raw)[0].raw == sse(START)


@pytest.mark.parametrize("kind", ["x\ny", "", "ping\nevent: message_stop", 7, "é"])
def test_the_type_of_an_event_cannot_write_lines_of_its_own(kind: object) -> None:
    event = {"type": kind, "more": 1}
    raw = joined(follow(as_sse(), frame(event)))
    assert raw.startswith(b"data: ")
    assert raw.count(b"\n") == 2


def test_an_event_of_many_lines_becomes_one_line() -> None:
    pretty = json.dumps(HELLO, indent=1).encode()
    payload = json.dumps({"bytes": base64.b64encode(pretty).decode()}).encode()
    raw = joined(follow(as_sse(), raw_frame(payload)))
    assert raw.count(b"\n") == 3
    assert json.loads(raw.partition(b"data: ")[2]) == HELLO


def test_bytes_that_are_no_frame_yet_come_at_the_end_in_frames_only() -> None:
    raw = frame(START) + frame(HELLO)[:-3]
    assert joined(follow(as_frames(), raw)) == raw
    assert joined(follow(as_sse(), raw)) == sse(START)


@settings(max_examples=40)
@given(sizes=st.lists(st.integers(1, 200), min_size=1, max_size=20))
def test_an_answer_is_the_same_however_it_is_cut(sizes: list[int]) -> None:
    raw = b"".join(map(frame, ANSWER))
    chunks = cut_into(raw, sizes)
    for form in (as_frames, as_sse):
        whole, cut = form(), form()
        assert joined(follow(cut, *chunks)) == joined(follow(whole, raw))
        assert cut.tally == whole.tally


@settings(max_examples=40)
@given(chunks=st.lists(st.binary(max_size=60), max_size=6))
def test_rubbish_never_raises_and_never_ends_an_answer(chunks: list[bytes]) -> None:
    for form in (as_frames, as_sse):
        found = form()
        follow(found, *chunks)
        assert not found.ended


@settings(max_examples=40)
@given(
    event=st.dictionaries(
        st.sampled_from(["type", "message", "usage", "delta", "error", "x"]),
        st.text() | st.integers() | st.none(),
        max_size=5,
    )
)
def test_events_of_any_shape_never_raise(event: dict[str, Any]) -> None:
    for form in (as_frames, as_sse):
        follow(form(), frame(event), frame(LAST))
