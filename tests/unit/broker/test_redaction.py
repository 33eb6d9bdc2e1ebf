from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.ids import IntentId
from broker.redaction import CHUNK_BYTES, BodyTooLargeError, Redactor
from tests.house import SECRET, House, PaperScanner, PaperVault
from vault.errors import SealedError, VaultError

INTENT = IntentId("int_x")
INLINE, LARGEST = 100, 3 * CHUNK_BYTES


class Masks(PaperVault):
    """Masks one text of the test's choice instead of the planted secret."""

    def __init__(self, secret: bytes) -> None:
        super().__init__()
        self._secret = secret

    async def scrub(self, data: bytes) -> tuple[bytes, int]:
        return data.replace(self._secret, b"*" * len(self._secret)), data.count(self._secret)


class Stream:
    """A body that knows whether it was closed."""

    def __init__(self, *chunks: bytes, error: Exception | None = None) -> None:
        self._chunks = chunks
        self._error = error
        self.closed = False

    async def body(self) -> AsyncGenerator[bytes, None]:
        try:
            for chunk in self._chunks:
                yield chunk
            if self._error:
                raise self._error
        finally:
            self.closed = True


def redactor(house: House, vault: PaperVault | None = None) -> Redactor:
    return Redactor(vault or house.vault, house.outputs, inline_bytes=INLINE, max_bytes=LARGEST)


async def kept(house: House) -> bytes:
    return b"".join([piece async for piece in house.outputs.read(INTENT)])


@pytest.mark.req("V2")
async def test_a_result_without_a_body_is_masked_in_place(house: House) -> None:
    clean = await redactor(house).clean(INTENT, {"a": SECRET.decode(), "b": [1]}, None)
    assert (clean.data, clean.hits, clean.size, clean.spooled) == ({"a": "*" * len(SECRET), "b": [1]}, 1, -1, False)


async def test_a_result_without_a_secret_is_the_same_object(house: House) -> None:
    data: dict[str, Any] = {"z": 1, "a": {"deep": [None, True, 1.5]}}
    assert (await redactor(house).clean(INTENT, data, None)).data is data


@pytest.mark.req("V2")
@pytest.mark.parametrize("result", [{"n": 12345678}, {"t": True, "n": [12345678.25]}])
async def test_json_that_masking_breaks_is_withheld_whole(house: House, result: dict[str, Any]) -> None:
    clean = await redactor(house, Masks(b"12345678")).clean(INTENT, {**result, "other": "kept?"}, None)
    assert list(clean.data) == ["withheld"]
    assert clean.hits == 1
    assert "kept?" not in str(clean)
    assert "1234" not in str(clean)


@pytest.mark.req("V2")
async def test_a_secret_in_the_name_of_a_member_is_masked(house: House) -> None:
    clean = await redactor(house).clean(INTENT, {SECRET.decode(): 1}, None)
    assert clean.data == {"*" * len(SECRET): 1}


async def test_a_body_that_comes_in_nothing_is_an_empty_body(house: House) -> None:
    for stream in (Stream(), Stream(b"")):
        clean = await redactor(house).clean(INTENT, {}, stream.body())
        assert clean.data == {"body": {"encoding": "base64", "data": ""}}
        assert (clean.size, clean.spooled, stream.closed) == (0, False, True)


@pytest.mark.req("V2")
async def test_a_secret_is_not_found_across_the_border_of_result_and_body(house: House) -> None:
    """Halves of a secret on the two sides are no secret; a whole one in each is masked in each."""
    clean = await redactor(house).clean(INTENT, {"a": SECRET.decode()}, Stream(SECRET).body())
    assert clean.hits == 2
    assert base64.b64decode(clean.data["body"]["data"]) == b"*" * len(SECRET)


@pytest.mark.parametrize(("size", "spooled"), [(INLINE, False), (INLINE + 1, True)])
async def test_a_body_is_inline_up_to_the_limit_and_kept_beyond(house: House, size: int, spooled: bool) -> None:
    clean = await redactor(house).clean(INTENT, {"a": 1}, Stream(b"x" * size).body())
    assert (clean.size, clean.spooled) == (size, spooled)
    assert ("body" in clean.data) is not spooled
    assert await kept(house) == (b"x" * size if spooled else b"")


@pytest.mark.parametrize("size", [CHUNK_BYTES - 1, CHUNK_BYTES, 2 * CHUNK_BYTES, LARGEST])
async def test_a_kept_body_is_whole_whatever_its_size(house: House, size: int) -> None:
    body = bytes(number % 251 for number in range(size))
    clean = await redactor(house).clean(INTENT, {}, Stream(body[:7], body[7:1000], body[1000:]).body())
    assert clean.size == size
    assert await kept(house) == body


@pytest.mark.parametrize("chunks", [(b"x" * (LARGEST + 1),), (b"x" * LARGEST, b"y" * 100)])
async def test_a_body_over_the_limit_is_dropped_and_its_stream_closed(house: House, chunks: tuple[bytes, ...]) -> None:
    stream = Stream(*chunks)
    with pytest.raises(BodyTooLargeError):
        await redactor(house).clean(INTENT, {}, stream.body())
    assert stream.closed
    assert await kept(house) == b""


@pytest.mark.parametrize("when", ["head", "rest"])
async def test_a_stream_that_breaks_leaves_nothing_kept(house: House, when: str) -> None:
    chunks = (b"x",) if when == "head" else (b"x" * 2 * CHUNK_BYTES,)
    stream = Stream(*chunks, error=OSError("cut"))
    with pytest.raises(OSError, match="cut"):
        await redactor(house).clean(INTENT, {}, stream.body())
    assert stream.closed
    assert await kept(house) == b""


@pytest.mark.req("V2")
async def test_what_cannot_be_scanned_is_not_released_and_its_stream_is_closed(house: House) -> None:
    house.vault.sealed = True
    for chunks in ((), (b"x",), (b"x" * 1000,)):
        stream = Stream(*chunks)
        with pytest.raises(VaultError):
            await redactor(house).clean(INTENT, {"a": 1}, stream.body())
        assert stream.closed
    assert await kept(house) == b""


async def test_a_vault_that_is_sealed_in_the_middle_of_a_body_leaves_nothing_kept(house: House) -> None:
    async def body() -> AsyncGenerator[bytes, None]:
        yield b"x" * CHUNK_BYTES
        yield b"y" * CHUNK_BYTES
        house.vault.sealed = True
        yield b"z"

    with pytest.raises(SealedError):
        await redactor(house).clean(INTENT, {}, body())
    assert await kept(house) == b""


@pytest.mark.req("V2")
@given(before=st.binary(max_size=300), after=st.binary(max_size=300), cuts=st.lists(st.integers(0, 600), max_size=6))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_however_a_body_is_cut_into_chunks_no_secret_comes_through(
    house: House, before: bytes, after: bytes, cuts: list[int]
) -> None:
    body = before + SECRET + after
    marks = [0, *sorted(cut for cut in cuts if cut < len(body)), len(body)]
    chunks = [body[start:end] for start, end in pairwise(marks)]
    clean = await redactor(house).clean(INTENT, {}, Stream(*chunks).body())
    shown = await kept(house) if clean.spooled else base64.b64decode(clean.data["body"]["data"])
    await house.outputs.discard(INTENT)
    assert shown == body.replace(SECRET, b"*" * len(SECRET))
    assert SECRET.decode() not in json.dumps(clean.data)


class Watched:
    """A sink that notes what it was given, and when in the life of the body."""

    def __init__(self) -> None:
        self.begun: list[dict[str, Any]] = []
        self.pieces: list[bytes] = []

    async def begin(self, data: dict[str, Any]) -> None:
        self.begun.append(data)

    async def write(self, piece: bytes) -> None:
        self.pieces.append(piece)


@pytest.mark.req("A5")
async def test_a_live_body_is_handed_on_chunk_by_chunk_and_its_end_is_kept_back(house: House) -> None:
    sink, seen = Watched(), []

    async def body() -> AsyncGenerator[bytes, None]:
        for chunk in (b"one", b"two", b"", b"the ", b"end"):
            seen.append(list(sink.pieces))
            yield chunk

    clean = await redactor(house, Open()).clean(INTENT, {"status": 200}, body(), sink, live=True)
    assert sink.begun == [{"status": 200}]
    assert seen == [[], [b"one"], [b"one", b"two"], [b"one", b"two"], [b"one", b"two"]]
    assert (sink.pieces, clean.tail, clean.size) == ([b"one", b"two"], b"the end", 13)


@pytest.mark.req("V2")
async def test_a_secret_in_a_live_body_is_masked_across_its_chunks(house: House) -> None:
    sink = Watched()
    stream = Stream(b"a " + SECRET[:5], SECRET[5:] + b" b", b"", b"end")
    clean = await redactor(house).clean(INTENT, {}, stream.body(), sink, live=True)
    assert b"".join(sink.pieces) + (clean.tail or b"") == b"a " + b"*" * len(SECRET) + b" bend"
    assert (clean.hits, stream.closed) == (1, True)


async def test_a_live_body_that_nobody_follows_is_kept_like_any_other(house: House) -> None:
    clean = await redactor(house).clean(INTENT, {}, Stream(b"small").body(), None, live=True)
    assert clean.data["body"]["data"] == base64.b64encode(b"small").decode()


class Passing(PaperScanner):
    """A scanner that finds nothing and holds nothing back."""

    async def feed(self, chunk: bytes) -> bytes:
        return chunk


class Open(PaperVault):
    """A vault that knows no secret."""

    def scanner(self) -> PaperScanner:
        return Passing(self)
