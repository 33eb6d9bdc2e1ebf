"""Chunks: any split of the bytes means the same, and anything else than what was announced and signed is refused."""

from __future__ import annotations

import base64
import hashlib
import zlib
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.aws.wire_in.canonical import signature
from connectors.aws.wire_in.chunked import MAX_LINE_BYTES, MAX_SIGNED_CHUNK_BYTES, ChunkedBody
from connectors.aws.wire_in.refusal import Reason, RefusedError
from connectors.aws.wire_in.sigv4 import ChunkSeed

SEED = ChunkSeed(b"k" * 32, "20261120T120000Z", "20261120/eu-west-1/s3/aws4_request", "a" * 64)
CRC32 = "x-amz-checksum-crc32"


def crc32(data: bytes) -> str:
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def unsigned(pieces: list[bytes], trailers: str = "") -> bytes:
    framed = b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces if piece)
    return framed + b"0\r\n" + trailers.encode() + b"\r\n"


def signed(pieces: list[bytes], trailers: dict[str, str] | None = None) -> bytes:
    before, out = SEED.signature, b""
    for piece in [*[each for each in pieces if each], b""]:
        digests = f"{hashlib.sha256(b'').hexdigest()}\n{hashlib.sha256(piece).hexdigest()}"
        before = signature(SEED.key, f"AWS4-HMAC-SHA256-PAYLOAD\n{SEED.stamp}\n{SEED.scope}\n{before}\n{digests}")
        out += f"{len(piece):x};chunk-signature={before}\r\n".encode() + (piece + b"\r\n" if piece else b"")
    if trailers is not None:
        text = "".join(f"{name}:{value}\n" for name, value in sorted(trailers.items()))
        digest = hashlib.sha256(text.encode()).hexdigest()
        last = signature(SEED.key, f"AWS4-HMAC-SHA256-TRAILER\n{SEED.stamp}\n{SEED.scope}\n{before}\n{digest}")
        out += "".join(f"{name}:{value}\r\n" for name, value in trailers.items()).encode()
        out += f"x-amz-trailer-signature:{last}\r\n".encode()
    return out + b"\r\n"


def body(length: int, *names: str, seed: ChunkSeed | None = None, trailing: bool = True) -> ChunkedBody:
    return ChunkedBody(length, seed=seed, trailer_names=frozenset(names), trailing=trailing)


def decoded(decoder: ChunkedBody, data: bytes, cuts: list[int] | None = None) -> bytes:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts or ())})
    out = b"".join(decoder.feed(data[a:b]) for a, b in pairwise(edges))
    return out + decoder.finish()


PIECES = st.lists(st.binary(min_size=1, max_size=50), max_size=6)
CUTS = st.lists(st.integers(min_value=0, max_value=2000), max_size=12)


@given(pieces=PIECES, cuts=CUTS)
def test_unsigned_chunks_mean_the_same_however_they_are_split(pieces: list[bytes], cuts: list[int]) -> None:
    data = b"".join(pieces)
    decoder = body(len(data), CRC32)
    assert decoded(decoder, unsigned(pieces, f"{CRC32}:{crc32(data)}\r\n"), cuts) == data
    assert decoder.trailers == {CRC32: crc32(data)}


@given(pieces=PIECES, cuts=CUTS, trailing=st.booleans())
def test_signed_chunks_mean_the_same_however_they_are_split(
    pieces: list[bytes], cuts: list[int], *, trailing: bool
) -> None:
    data = b"".join(pieces)
    trailers = {CRC32: crc32(data)} if trailing else None
    decoder = body(len(data), *(trailers or ()), seed=SEED, trailing=trailing)
    assert decoded(decoder, signed(pieces, trailers), cuts) == data


@given(pieces=PIECES, at=st.integers(min_value=0), flip=st.integers(min_value=1, max_value=255))
def test_no_changed_byte_of_signed_chunks_changes_what_comes_out(pieces: list[bytes], at: int, flip: int) -> None:
    data = b"".join(pieces)
    sent = bytearray(signed(pieces, {CRC32: crc32(data)}))
    sent[at % len(sent)] ^= flip
    decoder = body(len(data), CRC32, seed=SEED)
    with suppress(RefusedError):
        assert decoded(decoder, bytes(sent)) == data  # a letter of a size or name in the other case


@given(data=st.binary(max_size=200), cuts=CUTS, seeded=st.booleans())
def test_any_bytes_are_decoded_or_refused(data: bytes, cuts: list[int], *, seeded: bool) -> None:
    with suppress(RefusedError):
        decoded(body(10, CRC32, seed=SEED if seeded else None), data, cuts)


@pytest.mark.parametrize(
    ("length", "names", "data", "reason"),
    [
        (3, (), b"3\r\nabc\r\n", Reason.MALFORMED),
        (3, (), b"3\r\nabc\r\n0\r\n", Reason.MALFORMED),
        (3, (), b"3\r\nab", Reason.MALFORMED),
        (3, (), b"", Reason.MALFORMED),
        (4, (), b"3\r\nabc\r\n0\r\n\r\n", Reason.MALFORMED),
        (2, (), b"3\r\nabc\r\n0\r\n\r\n", Reason.MALFORMED),
        (3, (), b"3\r\nabcd\r\n0\r\n\r\n", Reason.MALFORMED),
        (3, (), b"3\r\nabc\r\n0\r\n\r\nGET /", Reason.MALFORMED),
        (3, (), b"+3\r\nabc\r\n0\r\n\r\n", Reason.MALFORMED),
        (3, (), b"0x3\r\nabc\r\n0\r\n\r\n", Reason.MALFORMED),
        (3, (), b"3;a=b\r\nabc\r\n0\r\n\r\n", Reason.MALFORMED),
        (3, (), b"\r\nabc\r\n0\r\n\r\n", Reason.MALFORMED),
        (3, (), b"3\nabc\r\n0\r\n\r\n", Reason.MALFORMED),
        (3, (), b"3" * MAX_LINE_BYTES, Reason.MALFORMED),
        (3, (), b"3\r\nabc\r\n0\r\nx-evil:1\r\n\r\n", Reason.MALFORMED),
        (3, (CRC32,), b"3\r\nabc\r\n0\r\n\r\n", Reason.MALFORMED),
        (3, (CRC32,), b"3\r\nabc\r\n0\r\nx-amz-checksum-crc32\r\n\r\n", Reason.MALFORMED),
        (3, (CRC32,), b"3\r\nabc\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", Reason.PAYLOAD_MISMATCH),
        (3, ("x-a",), b"3\r\nabc\r\n0\r\nx-a:1\r\nX-A:1\r\n\r\n", Reason.DECOY),
        (3, (), b"3\r\nabc\r\n0\r\nx-amz-trailer-signature:0\r\n\r\n", Reason.MALFORMED),
    ],
)
def test_chunks_that_are_not_what_was_announced_are_refused(
    length: int, names: tuple[str, ...], data: bytes, reason: Reason
) -> None:
    for cuts in ([], list(range(len(data)))):
        with pytest.raises(RefusedError) as caught:
            decoded(body(length, *names), data, cuts)
        assert caught.value.refusal.reason is reason


@pytest.mark.parametrize(
    "data",
    [
        unsigned([b"abc"]),
        signed([b"abc"]).replace(b"chunk-signature=", b"chunk-signature=0", 1),
        signed([b"ab"]) + signed([b"c"]),
        signed([b"abc"]).replace(b"abc", b"abd"),
        signed([b"abc"]).removesuffix(b"\r\n") + b"x-a:1\r\n\r\n",
        signed([b"abc"])[:-88] + b"\r\n",
    ],
)
def test_signed_chunks_that_were_not_signed_so_are_refused(data: bytes) -> None:
    with pytest.raises(RefusedError):
        decoded(body(3, "x-a", seed=SEED, trailing=False), data)


def test_trailers_of_signed_chunks_are_signed() -> None:
    data = signed([b"abc"], {"x-a": "1"})
    assert decoded(body(3, "x-a", seed=SEED), data) == b"abc"
    for changed in (data.replace(b"x-a:1", b"x-a:2"), signed([b"abc"]).removesuffix(b"\r\n") + b"x-a:1\r\n\r\n"):
        with pytest.raises(RefusedError) as caught:
            decoded(body(3, "x-a", seed=SEED), changed)
        assert caught.value.refusal.reason is Reason.SIGNATURE_WRONG


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-amz-checksum-sha1", hashlib.sha1(b"abc", usedforsecurity=False).digest()),
        ("x-amz-checksum-sha256", hashlib.sha256(b"abc").digest()),
        ("x-amz-checksum-crc32c", b"0000"),
    ],
)
def test_checksums_python_has_are_checked_and_others_passed_on(name: str, value: bytes) -> None:
    text = base64.b64encode(value).decode()
    decoder = body(3, name)
    assert decoded(decoder, unsigned([b"abc"], f"{name}: {text}\n\r\n")) == b"abc"
    assert decoder.trailers == {name: text}


def test_nothing_of_a_signed_chunk_leaves_before_all_of_it_is_verified() -> None:
    data = signed([b"a" * 1000, b"b" * 1000])
    decoder = body(2000, seed=SEED, trailing=False)
    assert decoder.feed(data[:1000]) == b""
    assert decoder.feed(data[1000:-5]) == b""
    assert decoder.feed(data[-5:]) + decoder.finish() == b"a" * 1000 + b"b" * 1000


def test_memory_is_bounded_whatever_a_chunk_says() -> None:
    head = f"{MAX_SIGNED_CHUNK_BYTES + 1:x};chunk-signature={'0' * 64}\r\n".encode()
    with pytest.raises(RefusedError) as caught:
        body(1 << 40, seed=SEED).feed(head)
    assert caught.value.refusal.reason is Reason.TOO_LARGE
    decoder = body(1 << 30)
    decoder.feed(f"{1 << 30:x}\r\n".encode())
    piece = b"x" * (1 << 16)
    for _ in range(100):
        decoder.feed(piece)
    assert len(decoder._buffer) + len(decoder._held) <= 2 * len(piece)
