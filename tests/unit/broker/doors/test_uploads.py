from __future__ import annotations

import asyncio
import hashlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import Message

from broker.doors.app import create_app
from broker.doors.forms import FormRequest
from broker.doors.problems import RefusedError
from broker.doors.uploads import Body, Declaration
from broker.outcome import ProblemKind
from connectors.errors import UploadBrokenError
from tests.unit.broker.doors.asgi import Client, Reply
from tests.unit.broker.doors.server import serving
from tests.unit.broker.doors.world import World, make_world

B = "bound.ary_1"
FORM = f"multipart/form-data; boundary={B}"
BODY = b"\r\n--bound.ary_ and --bound\r\n\x00\xff" * 9
SHA = hashlib.sha256(BODY).hexdigest()


def intent_of(action: str = "s3:PutObject", **declared: Any) -> dict[str, Any]:
    said = declared or {"bytes": len(BODY)}
    return {"action": action, "params": {"Bucket": "lake", "Body": {"upload": said}}}


def part(name: str, data: bytes, *lines: str) -> bytes:
    head = [f"--{B}", f'Content-Disposition: form-data; name="{name}"', *lines, "", ""]
    return "\r\n".join(head).encode() + data + b"\r\n"


def form(intent: object = None, body: bytes = BODY, end: bytes = f"--{B}--\r\n".encode()) -> bytes:
    said = json.dumps(intent_of() if intent is None else intent).encode()
    return part("intent", said, "Content-Type: application/json") + part("body", body) + end


async def send(
    client: Client, token: str, data: bytes, *, piece: int = 1 << 16, headers: dict[str, str] | None = None
) -> Reply:
    pieces = [data[at : at + piece] for at in range(0, len(data), piece)] or [b""]
    sent = {"Content-Type": FORM, "Content-Length": str(len(data)), **(headers or {})}
    return await client.call("POST", "/v1/intents", token=token, body=pieces, headers=sent)


@pytest.mark.parametrize("piece", [1, 7, 50, 1 << 16])
async def test_a_body_arrives_byte_for_byte_however_the_network_cuts_the_form(
    client: Client, world: World, piece: int
) -> None:
    reply = await send(client, world.reader_token, form(intent_of(bytes=len(BODY), sha256=SHA)), piece=piece)
    assert (reply.status, world.uploads) == (200, [BODY])
    assert "connection" not in reply.headers
    [draft] = world.drafts
    assert draft.params["Body"] == {"upload": {"bytes": len(BODY), "sha256": SHA}}


async def test_an_idempotency_key_brings_back_the_first_outcome_and_leaves_the_second_body_unread(
    client: Client, world: World
) -> None:
    first = await send(client, world.reader_token, form(), headers={"Idempotency-Key": "k"})
    again = await send(client, world.reader_token, form(), piece=500, headers={"Idempotency-Key": "k"})
    assert (first.json()["replayed"], again.json()["replayed"]) == (False, True)
    assert len(world.uploads) == 1


async def test_a_body_of_no_bytes_is_looked_at_before_anything_is_asked(client: Client, world: World) -> None:
    assert (await send(client, world.reader_token, form(intent_of(bytes=0), b""))).status == 200
    longer = await send(client, world.reader_token, form(intent_of(bytes=0), b"x"))
    assert (longer.kind, len(world.drafts)) == ("upload-broken", 1)
    assert world.uploads == [b""]


@pytest.mark.parametrize(
    ("declared", "data"),
    [
        ({"bytes": len(BODY) - 1}, form()),
        ({"bytes": len(BODY) + 1}, form()),
        ({"bytes": len(BODY), "sha256": "0" * 64}, form()),
        ({"bytes": len(BODY)}, form(end=b"")),
        ({"bytes": len(BODY)}, form(end=f"--{B}-x".encode())),
        ({"bytes": len(BODY)}, form(end=part("more", b"x") + f"--{B}--".encode())),
        ({"bytes": len(BODY) + 1}, form(end=part("body", b"x") + f"--{B}--".encode())),
        ({"bytes": len(BODY)}, form(end=part("x", b"", "X-Y: z") + f"--{B}--".encode())),
    ],
)
@pytest.mark.parametrize("piece", [100, 1 << 20])
async def test_a_body_that_is_not_the_declared_one_never_goes_out_whole(
    client: Client, world: World, declared: dict[str, Any], data: bytes, piece: int
) -> None:
    said, started = json.dumps(intent_of()).encode(), json.dumps(intent_of(**declared)).encode()
    reply = await send(client, world.reader_token, data.replace(said, started), piece=piece)
    # What is wrong in the first bytes that come is seen before anything is asked.
    assert reply.kind in ("upload-broken", "malformed-request")
    assert all(len(taken) < min(declared["bytes"], len(BODY)) for taken in world.uploads)
    assert BODY not in world.uploads


async def test_a_request_that_goes_on_after_its_form_is_cut_off(client: Client, world: World) -> None:
    ended = form()
    assert (await send(client, world.reader_token, ended + b"x" * 10_000, piece=1000)).status == 200
    assert (await send(client, world.reader_token, ended + b"x" * 20_000, piece=1000)).kind == "upload-broken"
    assert world.uploads[0] == BODY
    assert len(world.uploads[1]) < len(BODY)


async def test_a_client_that_goes_in_the_middle_of_a_body_breaks_it(world: World) -> None:
    begun: Message = {"type": "http.request", "body": form(end=b""), "more_body": True}
    answers: list[Message] = [{"type": "http.disconnect"}, begun]

    async def receive() -> Message:
        return answers.pop()

    request = FormRequest(B.encode(), receive, limit=10_000)
    assert json.loads(await request.intent()) == intent_of()
    taken = []
    with pytest.raises(UploadBrokenError, match="went away"):
        taken += [piece async for piece in Body(request, Declaration(bytes=len(BODY)))]
    assert taken == []


async def test_a_client_that_falls_silent_is_not_waited_for() -> None:
    begun: list[Message] = [{"type": "http.request", "body": form(end=b""), "more_body": True}]

    async def receive() -> Message:
        if not begun:
            await asyncio.get_running_loop().create_future()
        return begun.pop()

    request = FormRequest(B.encode(), receive, limit=10_000, idle_seconds=0)
    await request.intent()
    with pytest.raises(UploadBrokenError, match="nothing of the body came"):
        await anext(aiter(Body(request, Declaration(bytes=len(BODY)))))
    with pytest.raises(RefusedError) as refusal:
        await FormRequest(B.encode(), receive, limit=10_000, intent_seconds=0).intent()
    assert refusal.value.problem.kind is ProblemKind.MALFORMED_REQUEST


async def test_nothing_is_received_ahead_of_whoever_takes_the_body() -> None:
    data = form(intent_of(bytes=40_000), b"z" * 40_000)
    waiting = [data[at : at + 1000] for at in range(0, len(data), 1000)]
    total = len(waiting)

    async def receive() -> Message:
        piece = waiting.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(waiting)}

    request = FormRequest(B.encode(), receive, limit=10_000)
    await request.intent()
    assert total - len(waiting) == 1
    stream = aiter(Body(request, Declaration(bytes=40_000)))
    got = len(await anext(stream))
    assert total - len(waiting) <= 3
    async for piece in stream:
        got += len(piece)
    assert got == 40_000


INTENT = json.dumps(intent_of()).encode()
END = f"--{B}--\r\n".encode()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "malformed-request"),
        (b"nothing like a form", "malformed-request"),
        (END, "malformed-request"),
        (part("intent", INTENT) + END, "malformed-request"),
        (part("intent", INTENT), "malformed-request"),
        (part("body", BODY) + part("intent", INTENT) + END, "malformed-request"),
        (part("intent", INTENT) + part("file", BODY) + END, "malformed-request"),
        (part("intent", INTENT, "Content-Transfer-Encoding: base64") + part("body", BODY) + END, "malformed-request"),
        (part("intent", INTENT, "Content-Type: a/b", "content-type: a/b"), "malformed-request"),
        (part("intent", INTENT, "Content-Type: text/plain") + part("body", BODY) + END, "malformed-request"),
        (part("intent", INTENT, "Content-Type: " + "x" * 9000) + part("body", BODY) + END, "malformed-request"),
        (part("intent", b"{") + part("body", BODY) + END, "malformed-request"),
        (part("intent", b'{"action":"a","action":"b"}') + part("body", BODY) + END, "malformed-request"),
        (form({"action": "s3:PutObject"}), "malformed-request"),
        (form({"action": "d:P", "params": {"Item": {"upload": {"S": "x"}}}}), "malformed-request"),
        (form(intent_of(bytes=-1)), "malformed-request"),
        (form(intent_of(bytes=True)), "malformed-request"),
        (form(intent_of(bytes=1 << 60)), "malformed-request"),
        (form(intent_of(bytes=3, sha256="XY")), "malformed-request"),
        (form(intent_of(bytes=3, trailer="x-amz-checksum-crc32")), "malformed-request"),
        (part("intent", b" " * 100_001), "request-too-large"),
        (part("intent", b" " * 100_001) + part("body", BODY) + END, "request-too-large"),
        (b"\r\n" * 100_000, "request-too-large"),
    ],
)
async def test_a_form_that_is_not_understood_is_refused_and_asks_for_nothing(
    client: Client, world: World, data: bytes, kind: str
) -> None:
    reply = await send(client, world.reader_token, data)
    assert reply.kind == kind
    assert world.drafts == []


@pytest.mark.parametrize(
    "media_type", ["multipart/form-data", 'multipart/form-data; boundary=""', "multipart/form-data; boundary=a\xe9"]
)
async def test_a_form_without_a_boundary_is_refused(client: Client, world: World, media_type: str) -> None:
    reply = await send(client, world.reader_token, form(), headers={"Content-Type": media_type})
    assert reply.kind == "malformed-request"


async def test_a_form_of_another_kind_is_no_intent(client: Client, world: World) -> None:
    reply = await send(
        client, world.reader_token, form(), headers={"Content-Type": f"multipart/form-data2; boundary={B}"}
    )
    assert reply.kind == "unsupported-media-type"


async def test_the_intent_of_a_form_can_come_as_curl_sends_it(client: Client, world: World) -> None:
    intent = part("intent", INTENT).replace(b'"intent"', b'"intent"; filename="i.json"')
    body = part("body", BODY, "Content-Type: text/csv").replace(b'"body"', b'"body"; filename="x.csv"')
    reply = await send(client, world.reader_token, intent + body + END)
    assert (reply.status, world.uploads) == (200, [BODY])


async def test_params_that_declare_a_body_need_a_form_but_for_a_dry_run(client: Client, world: World) -> None:
    alone = await client.call("POST", "/v1/intents", token=world.reader_token, json_body=intent_of())
    assert (alone.kind, world.drafts) == ("malformed-request", [])
    assert "multipart/form-data" in alone.json()["fix"]
    dry = await client.call("POST", "/v1/intents", token=world.reader_token, json_body={**intent_of(), "dry_run": True})
    assert dry.status == 200
    item = {"action": "dynamodb:PutItem", "params": {"Item": {"upload": {"S": "x"}}}}
    assert (await client.call("POST", "/v1/intents", token=world.reader_token, json_body=item)).status == 200


def test_the_document_says_that_an_intent_can_be_a_form(described: dict[str, Any]) -> None:
    content = described["paths"]["/v1/intents"]["post"]["requestBody"]["content"]
    assert set(content) == {"application/json", "multipart/form-data"}
    shown = content["multipart/form-data"]["schema"]
    assert shown["required"] == ["intent", "body"]
    assert shown["properties"]["intent"] == content["application/json"]["schema"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200), at=st.integers(0, 600), piece=st.integers(1, 700))
async def test_no_form_brings_a_server_error_or_another_body(
    tmp_path: Path, described: dict[str, Any], data: bytes, at: int, piece: int
) -> None:
    world = make_world(tmp_path)
    whole = form(intent_of(bytes=len(BODY), sha256=SHA))
    reply = await send(
        Client(create_app(world), described),
        world.reader_token,
        whole[:at] + data + whole[at + len(data) :],
        piece=piece,
    )
    assert reply.status < 500, reply.body
    assert world.uploads in ([], [BODY]) or BODY not in world.uploads


@pytest.fixture
def address(world: World) -> Iterator[tuple[str, int]]:
    with serving(create_app(world)) as found:
        yield found


def test_a_denied_upload_is_answered_at_once_and_its_bytes_are_never_a_request(
    world: World, address: tuple[str, int]
) -> None:
    smuggled = b"\r\nPOST /v1/intents HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" * 3000
    data = form(intent_of("s3:DeleteObject", bytes=len(smuggled)), smuggled)
    head = (
        f"POST /v1/intents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {world.reader_token}\r\n"
        f"Content-Type: {FORM}\r\nContent-Length: {len(data) + (50 << 20)}\r\n\r\n"
    )
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(head.encode() + data[:40_000])
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    assert received.startswith(b"HTTP/1.1 403")
    assert b"connection: close" in received.lower()
    assert received.count(b"HTTP/1.1") == 1
    assert (len(world.drafts), world.uploads) == (1, [])


def test_an_upload_goes_through_a_real_server_and_the_connection_lives_on(
    world: World, address: tuple[str, int]
) -> None:
    body = bytes(range(256)) * 8192
    data = form(intent_of(bytes=len(body), sha256=hashlib.sha256(body).hexdigest()), body)
    head = f"POST /v1/intents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {world.reader_token}\r\n"
    request = f"{head}Content-Type: {FORM}\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(request)
        connection.sendall(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    assert received.count(b"HTTP/1.1 200") == 2
    assert world.uploads == [body, body]
