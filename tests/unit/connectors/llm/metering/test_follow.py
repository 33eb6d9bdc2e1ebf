"""What all followers do: bytes go by unchanged, and nothing comes after an end."""

from __future__ import annotations

import pytest

from connectors.llm.metering.follow import follower
from connectors.llm.metering.sse import MAX_EVENT_BYTES
from connectors.llm.metering.tally import Piece
from connectors.llm.words import Dialect, Phase
from tests.unit.connectors.llm.metering.wire import DONE, PING, STOP, chunk, delta, followed, start, text


def test_events_of_one_phase_come_as_one_piece() -> None:
    _, pieces = followed(Dialect.MESSAGES, start() + PING + text("a") + text("b") + delta(output_tokens=1) + STOP)
    assert [piece.phase for piece in pieces] == [Phase.PRELUDE, Phase.CONTENT, Phase.END]
    assert pieces[1].raw == text("a") + text("b") + delta(output_tokens=1)


def test_nothing_comes_of_half_an_event() -> None:
    found = follower(Dialect.CHAT)
    assert found.feed(b"") == []
    assert found.feed(DONE[:5]) == []
    assert found.feed(DONE[5:]) == [Piece(Phase.END, DONE)]
    assert found.finish() == []


@pytest.mark.parametrize(
    ("before", "phase"),
    [(b"", Phase.PRELUDE), (text("a"), Phase.CONTENT), (STOP, Phase.END), (b"event: error\n\n", Phase.CONTENT)],
)
def test_bytes_that_never_became_an_event_stand_where_the_stream_stood(before: bytes, phase: Phase) -> None:
    found = follower(Dialect.MESSAGES)
    found.feed(before)
    assert found.feed(b"event: message_stop") == []
    assert found.finish() == [Piece(phase, b"event: message_stop")]


def test_what_comes_after_the_end_is_part_of_it_and_not_metered() -> None:
    found, pieces = followed(Dialect.MESSAGES, start(), delta(output_tokens=3), STOP, delta(output_tokens=1), PING)
    assert {piece.phase for piece in pieces[2:]} == {Phase.END}
    assert found.tally.output_tokens == 3


def test_an_event_that_is_too_long_is_content_and_not_looked_into() -> None:
    long = b'data: {"error":"' + b"x" * MAX_EVENT_BYTES + b'"}\n\n'
    found, pieces = followed(Dialect.CHAT, long[:100], long[100:], chunk({"content": "a"}), hide_usage=True)
    assert b"".join(piece.raw for piece in pieces) == long + chunk({"content": "a"})
    assert {piece.phase for piece in pieces} == {Phase.CONTENT}
    assert found.failure is None


def test_a_dialect_that_streams_frames_has_no_follower_here() -> None:
    with pytest.raises(ValueError, match="frames"):
        follower(Dialect.INVOKE)
