"""Where events end, whatever the ends of lines and of chunks are."""

from __future__ import annotations

import pytest

from connectors.llm.metering.sse import MAX_EVENT_BYTES, Splitter, fields_of


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_an_event_ends_at_an_empty_line_of_any_kind(end: bytes) -> None:
    one, two = end.join((b"event: a", b"data: 1", b"", b"")), end.join((b"data: 2", b"", b""))
    assert Splitter().feed(one + two) == [(one, True), (two, True)]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_bytes_that_come_one_by_one_make_the_same_events(end: bytes) -> None:
    stream = end.join((b"event: a", b"data: 1", b"", b"data: 2", b"", b""))
    splitter = Splitter()
    found = [part for index in range(len(stream)) for part in splitter.feed(stream[index : index + 1])]
    assert b"".join(raw for raw, _ in found) == stream
    assert [fields_of(raw) for raw, whole in found if whole] == [("a", b"1"), ("", b"2")]


def test_half_a_line_end_that_comes_late_belongs_to_the_event_before_it() -> None:
    splitter = Splitter()
    assert splitter.feed(b"data: 1\r\n\r") == [(b"data: 1\r\n\r", True)]
    assert splitter.feed(b"") == []
    assert splitter.feed(b"\ndata: 2\r\n\r\n") == [(b"\n", False), (b"data: 2\r\n\r\n", True)]


def test_half_a_line_end_inside_an_event_stays_in_it() -> None:
    splitter = Splitter()
    assert splitter.feed(b"data: 1\r\n\r\ndata: 2\r") == [(b"data: 1\r\n\r\n", True)]
    assert splitter.feed(b"\n") == []
    assert splitter.feed(b"\r\n") == [(b"data: 2\r\n\r\n", True)]


def test_what_comes_after_the_last_empty_line_is_no_event() -> None:
    splitter = Splitter()
    assert splitter.feed(b"data: 1\n\ndata: [DONE]\n") == [(b"data: 1\n\n", True)]
    assert splitter.finish() == b"data: [DONE]\n"
    assert splitter.finish() == b""


def test_an_event_that_is_too_long_goes_by_in_parts_and_the_next_one_is_whole() -> None:
    splitter = Splitter()
    step = 4_000_000
    stream = b"data: " + b"x" * (MAX_EVENT_BYTES + 2 * step) + b"\n\n"
    found: list[tuple[bytes, bool]] = []
    for at in [*range(0, len(stream) - 1, step), len(stream) - 1]:
        found += splitter.feed(stream[at : min(at + step, len(stream) - 1) if at < len(stream) - 1 else len(stream)])
    assert len(found) > 2
    assert all(not whole for _, whole in found)
    assert max(len(raw) for raw, _ in found) <= MAX_EVENT_BYTES + step
    assert b"".join(raw for raw, _ in found) == stream
    assert splitter.feed(b"data: 1\n\n") == [(b"data: 1\n\n", True)]


def test_an_event_that_is_too_long_is_so_in_one_chunk_too() -> None:
    stream = b"data: " + b"x" * MAX_EVENT_BYTES + b"\n\n"
    assert Splitter().feed(stream + b"data: 1\n\n") == [(stream, False), (b"data: 1\n\n", True)]


def test_fields_are_read_as_the_standard_says() -> None:
    assert fields_of(b"\xef\xbb\xbfevent: a\ndata: 1\n\n") == ("a", b"1")
    assert fields_of(b"event:a\nevent: b\ndata:1\ndata:  2\n\n") == ("b", b"1\n 2")
    assert fields_of(b": comment\nid: 4\nretry: 1\n\n") == ("", b"")
    assert fields_of(b"event: \xff\ndata\n\n") == ("\ufffd", b"")
