from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from broker.doors.app import create_app
from tests.unit.broker.doors.server import serving
from tests.unit.broker.doors.world import World

BODY = b'{"action":"s3:HeadObject","params":{}}'


@pytest.fixture
def address(world: World) -> Iterator[tuple[str, int]]:
    with serving(create_app(world)) as found:
        yield found


def talk(address: tuple[str, int], data: bytes) -> bytes:
    """Send raw bytes and return all that comes back until the server closes or falls silent for good."""
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(data)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received


def request(world: World, *lines: bytes, body: bytes = BODY, close: bool = True) -> bytes:
    head = [
        b"POST /v1/intents HTTP/1.1",
        b"Host: x",
        b"Authorization: Bearer " + world.reader_token.encode(),
        b"Content-Type: application/json",
        *lines,
    ]
    if close:
        head.append(b"Connection: close")
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def status_of(reply: bytes) -> int:
    return int(reply.split(b" ", 2)[1])


def test_an_intent_goes_through_a_real_server(world: World, address: tuple[str, int]) -> None:
    reply = talk(address, request(world, b"Content-Length: %d" % len(BODY)))
    head, _, body = reply.partition(b"\r\n\r\n")
    assert status_of(reply) == 200
    assert json.loads(body)["state"] == "succeeded"
    assert b"x-content-type-options: nosniff" in head
    assert b"uvicorn" not in head


def test_two_requests_on_one_connection_are_two_intents(world: World, address: tuple[str, int]) -> None:
    length = b"Content-Length: %d" % len(BODY)
    reply = talk(address, request(world, length, close=False) + request(world, length))
    assert reply.count(b"HTTP/1.1 200") == 2
    assert len(world.drafts) == 2


@pytest.mark.req("O2")
@pytest.mark.parametrize(
    "lines",
    [
        [b"Content-Length: 5", b"Content-Length: 38"],
        [b"Content-Length: 38", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"],
        [b"Content-Length: +38"],
        [b"Content-Length: 38, 38"],
        [b"Content-Length : 38"],
        [b"X: a\r\n Content-Length: 38"],
        [b"Transfer-Encoding: xchunked"],
    ],
)
def test_a_request_whose_end_two_servers_may_see_differently_never_becomes_an_intent(
    world: World, address: tuple[str, int], lines: list[bytes]
) -> None:
    smuggled = BODY + b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    reply = talk(address, request(world, *lines, body=smuggled, close=False))
    assert 400 <= status_of(reply) < 500
    assert b"200 OK" not in reply
    assert world.drafts == []


def test_what_follows_a_refused_body_is_never_taken_for_a_request(world: World, address: tuple[str, int]) -> None:
    # Refused before the body was read: its bytes look like a request of their own.
    hidden = request(world, b"Content-Length: %d" % len(BODY))
    head = b"POST /v1/intents HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    reply = talk(address, head + b"Content-Length: 90000\r\n\r\n" + hidden)
    assert status_of(reply) == 401
    assert reply.count(b"HTTP/1.1") == 1
    assert b"connection: close" in reply.lower()
    assert world.drafts == []


def test_a_client_that_waits_for_100_before_a_body_too_large_is_refused_at_once(
    world: World, address: tuple[str, int]
) -> None:
    reply = talk(address, request(world, b"Expect: 100-continue", b"Content-Length: 100001", body=b"", close=False))
    assert status_of(reply) == 413
    assert b"100 Continue" not in reply


def test_a_body_that_is_cut_short_breaks_the_connection(world: World, address: tuple[str, int]) -> None:
    made = talk(address, request(world, b"Content-Length: 25", body=b'{"action":"s3:GetObject"}'))
    output = json.loads(made.partition(b"\r\n\r\n")[2])["output"]
    for chunks in world.outputs.chunks.values():
        del chunks[5:]
    asked = f"GET {output['href']} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {world.reader_token}\r\n\r\n"
    head, _, body = talk(address, asked.encode()).partition(b"\r\n\r\n")
    assert b"content-length: 200000" in head
    assert len(body) < 200_000
