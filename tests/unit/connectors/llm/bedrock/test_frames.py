"""Frames, compared with botocore's reader, and what becomes of them when bits flip."""

from __future__ import annotations

import struct
import zlib

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.llm.bedrock.frames import (
    MAX_HEADER_BYTES,
    MAX_MESSAGE_BYTES,
    Frame,
    FrameError,
    FrameReader,
    HeaderValue,
    encode,
)

EVENT = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
NAMES = st.text(min_size=1, max_size=12)
VALUES: st.SearchStrategy[HeaderValue] = st.one_of(
    st.booleans(), st.integers(-(2**63), 2**63 - 1), st.text(max_size=40), st.binary(max_size=40)
)
MESSAGES = st.tuples(st.dictionaries(NAMES, VALUES, max_size=6), st.binary(max_size=300))


def read(*chunks: bytes) -> list[Frame]:
    reader = FrameReader()
    return [frame for chunk in chunks for frame in reader.feed(chunk)]


def cut_into(raw: bytes, sizes: list[int]) -> list[bytes]:
    """The same bytes in pieces of these sizes, over and over."""
    chunks: list[bytes] = []
    at = 0
    while at < len(raw):
        size = sizes[len(chunks) % len(sizes)]
        chunks.append(raw[at : at + size])
        at += size
    return chunks


def typed(kind: int, content: bytes) -> bytes:
    """A frame with one header of any type, written by hand."""
    return sealed(b"\x01x" + bytes((kind,)) + content)


def sealed(head: bytes, payload: bytes = b"p", *, length: int | None = None, head_length: int | None = None) -> bytes:
    """A frame whose sums fit, whatever is in it."""
    lengths = struct.pack(
        ">II",
        len(head) + len(payload) + 16 if length is None else length,
        len(head) if head_length is None else head_length,
    )
    body = lengths + struct.pack(">I", zlib.crc32(lengths)) + head + payload
    return body + struct.pack(">I", zlib.crc32(body))


@settings(max_examples=60)
@given(messages=st.lists(MESSAGES, max_size=4), sizes=st.lists(st.integers(1, 40), min_size=1, max_size=8))
def test_frames_read_as_botocore_reads_them_however_they_are_cut(
    messages: list[tuple[dict[str, HeaderValue], bytes]], sizes: list[int]
) -> None:
    raw = b"".join(encode(headers, payload) for headers, payload in messages)
    theirs = EventStreamBuffer()
    theirs.add_data(raw)
    chunks = cut_into(raw, sizes)
    ours = read(*chunks)
    assert [(dict(frame.headers), frame.payload) for frame in ours] == [
        (message.headers, message.payload) for message in theirs
    ]
    assert b"".join(frame.raw for frame in ours) == raw
    assert [dict(frame.headers) for frame in ours] == [headers for headers, _ in messages]


@pytest.mark.parametrize(
    ("kind", "content", "value"),
    [
        (2, b"\xff", -1),
        (3, b"\x80\x00", -32768),
        (4, b"\x7f\xff\xff\xff", 2**31 - 1),
        (8, struct.pack(">q", 1_700_000_000_000), 1_700_000_000_000),
        (9, bytes(range(16)), bytes(range(16))),
    ],
)
def test_every_type_of_a_header_is_read_as_botocore_reads_it(kind: int, content: bytes, value: HeaderValue) -> None:
    raw = typed(kind, content)
    theirs = EventStreamBuffer()
    theirs.add_data(raw)
    assert next(theirs).headers["x"] == read(raw)[0].headers["x"] == value


@settings(max_examples=60)
@given(data=st.data(), payload=st.binary(min_size=1, max_size=60))
def test_one_flipped_bit_is_never_read_as_a_frame(data: st.DataObject, payload: bytes) -> None:
    raw = bytearray(encode(EVENT, payload))
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << bit % 8
    with pytest.raises(FrameError):
        read(bytes(raw))


def test_whole_frames_before_a_broken_one_are_not_lost() -> None:
    good = encode(EVENT, b"one")
    bad = encode(EVENT, b"two")[:-1] + b"\x00"
    reader = FrameReader()
    with pytest.raises(FrameError) as caught:
        reader.feed(good + bad)
    assert [frame.payload for frame in caught.value.before] == [b"one"]
    assert reader.rest == b""


def test_what_is_no_whole_frame_yet_is_kept() -> None:
    raw = encode(EVENT, b"payload")
    reader = FrameReader()
    assert reader.feed(raw[:20]) == []
    assert reader.rest == raw[:20]
    assert reader.feed(raw[20:])[0].payload == b"payload"
    assert reader.rest == b""


def test_a_reader_never_waits_for_more_than_a_frame_may_have() -> None:
    for broken in (
        sealed(b"", length=MAX_MESSAGE_BYTES + 1),
        sealed(b"", head_length=MAX_HEADER_BYTES + 1, length=MAX_MESSAGE_BYTES),
        sealed(b"", length=15),
        sealed(b"", length=17, head_length=2),
    ):
        with pytest.raises(FrameError):
            read(broken[:12])
    assert read(sealed(b"", length=MAX_MESSAGE_BYTES)[:12]) == []


@pytest.mark.parametrize(
    "raw",
    [
        typed(10, b""),
        typed(7, b"\x00\x05abc"),
        typed(7, b"\x00\x02\xff\xff"),
        typed(6, b"\x00"),
        typed(5, b"\x00\x00"),
        typed(9, b"too short"),
        sealed(b"\x01x"),
        sealed(b"\x01x\x00\x01x\x01"),
        sealed(b"\x09x"),
        sealed(b"\x02\xff\xff\x00"),
    ],
)
def test_headers_that_cannot_be_read_are_an_error_and_nothing_else(raw: bytes) -> None:
    with pytest.raises(FrameError):
        read(raw)


@pytest.mark.parametrize(
    ("headers", "payload"),
    [
        ({"": "x"}, b""),
        ({"n" * 256: "x"}, b""),
        ({"n": "x" * 32768}, b""),
        ({"n": 2**63}, b""),
        ({str(number): "x" * 32767 for number in range(5)}, b""),
        ({}, bytes(MAX_MESSAGE_BYTES)),
    ],
)
def test_what_no_reader_would_take_is_not_written(headers: dict[str, HeaderValue], payload: bytes) -> None:
    with pytest.raises(FrameError):
        encode(headers, payload)


def test_a_header_that_is_no_text_reads_as_none() -> None:
    (frame,) = read(encode({":event-type": "chunk", "n": 1}, b""))
    assert (frame.text(":event-type"), frame.text("n"), frame.text("absent")) == ("chunk", "", "")


def test_what_is_just_short_enough_is_written_and_read() -> None:
    long = {"n" * 255: "x" * 32767}
    assert dict(read(encode(long, b""))[0].headers) == long
    filler = {str(number): "x" * (32767 - 5) for number in range(3)}
    left = MAX_HEADER_BYTES - 4 - sum(4 + len(name) + len(value) for name, value in filler.items())
    full = {**filler, "last": "y" * (left - 4)}
    assert dict(read(encode(full, b""))[0].headers) == full
    with pytest.raises(FrameError):
        encode({**full, "last": full["last"] + "y"}, b"")
