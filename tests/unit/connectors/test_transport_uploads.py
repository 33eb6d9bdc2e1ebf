"""Bodies that stream out: never twice, never longer, and a broken one is told apart from a broken connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from connectors.errors import NotSentError, OutcomeUnknownError, UploadBrokenError
from connectors.guard import AddressGuard
from connectors.transport import HttpTransport, Timeouts
from tests.parts.raw_http import RawServer, answering, raw_server
from tests.unit.connectors.test_transport import OK, transport_to

HEADERS = {"content-length": "6"}


async def pieces(*parts: bytes, error: Exception | None = None) -> AsyncIterator[bytes]:
    for part in parts:
        await asyncio.sleep(0)
        yield part
    if error is not None:
        raise error


async def test_pieces_arrive_as_one_body_of_the_announced_length() -> None:
    async with raw_server(answering(OK)) as server, transport_to(server) as transport:
        body = pieces(b"abc", b"def")
        async with transport.request("PUT", server.origin + "/", headers=HEADERS, body=body) as response:
            assert response.status == 200
    assert server.bodies == [b"abcdef"]
    head = server.heads[0].lower()
    assert b"transfer-encoding" not in head
    assert b"content-type" not in head


async def test_a_body_that_breaks_is_told_and_the_upstream_gets_no_whole_request() -> None:
    async with raw_server(answering(OK)) as server, transport_to(server) as transport:
        body = pieces(b"abc", error=UploadBrokenError("cut"))
        with pytest.raises(UploadBrokenError):
            async with transport.request("PUT", server.origin + "/", headers=HEADERS, body=body):
                pass
        await asyncio.wait_for(server.idle.wait(), 10)
    assert server.bodies == []


async def test_a_body_that_breaks_before_its_first_piece_is_told_likewise() -> None:
    async with raw_server(answering(OK)) as server, transport_to(server) as transport:
        with pytest.raises(UploadBrokenError):
            async with transport.request(
                "PUT", server.origin + "/", headers=HEADERS, body=pieces(error=UploadBrokenError("cut"))
            ):
                pass
    assert server.bodies == []


async def test_an_upload_may_take_longer_than_an_answer() -> None:
    gate = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"abc"
        await gate.wait()
        yield b"def"

    async with raw_server(answering(OK)) as server:
        timeouts = Timeouts(answer=0.01, read=5, total=5)
        async with transport_to(server, timeouts=timeouts) as transport:
            asyncio.get_running_loop().call_later(0.05, gate.set)
            async with transport.request("PUT", server.origin + "/", headers=HEADERS, body=slow()) as response:
                assert response.status == 200


async def test_an_upstream_that_answers_early_ends_the_upload() -> None:
    gate = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"abc"
        await gate.wait()
        yield b"never"

    early = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"

    async def hasty(_: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(early)
        await writer.drain()

    async with raw_server(hasty) as server, transport_to(server) as transport:
        request = transport.request("PUT", server.origin + "/", headers=HEADERS, body=endless())
        async with request as response:
            assert response.status == 403


async def test_an_upload_to_nobody_was_not_sent_and_one_that_is_cut_is_unknown() -> None:
    async with raw_server(answering()) as server, transport_to(server) as transport:
        with pytest.raises(OutcomeUnknownError):
            async with transport.request("PUT", server.origin + "/", headers=HEADERS, body=pieces(b"abcdef")):
                pass
    transport = HttpTransport(AddressGuard([server.endpoint]))
    with pytest.raises(NotSentError):
        async with transport.request("PUT", server.origin + "/", headers=HEADERS, body=pieces(b"abcdef")):
            pass
    await transport.aclose()
