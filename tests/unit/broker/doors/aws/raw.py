"""Requests written by hand, signed with botocore's own signer or against its rules."""

from __future__ import annotations

import hashlib
import http.client
import re
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from connectors.aws.wire_in.canonical import canonical_request, signature, signing_key
from connectors.aws.wire_in.request import WireRequest, receive
from tests.unit.broker.doors.aws.house import WireWorld

REGION = "eu-west-1"
EMPTY = hashlib.sha256(b"").hexdigest()
FIRST = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
TRAILING = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILING = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


@dataclass
class Signed:
    """A head, and what signatures of chunks go on from."""

    method: str
    target: str
    headers: dict[str, str]
    key: bytes
    stamp: str
    scope: str
    signature: str


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        found = re.search(rb"<Code>(\w+)</Code>", self.body) or re.search(rb'"__type": "(\w+)"', self.body)
        return found.group(1).decode() if found else ""

    @property
    def message(self) -> str:
        return self.body.decode()


def sign(
    world: WireWorld,
    method: str,
    target: str,
    *,
    service: str = "s3",
    host: str = "127.0.0.1",
    payload: str = EMPTY,
    headers: dict[str, str] | None = None,
    unsigned: dict[str, str] | None = None,
    age_seconds: int = 0,
) -> Signed:
    key_id, secret = world.key()
    now = datetime.fromtimestamp(world.clock.now_ns() / 1e9 - age_seconds, UTC)
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    sent = {"host": host, "x-amz-date": stamp, **(headers or {})}
    if service == "s3":
        sent["x-amz-content-sha256"] = payload
    path, _, query = target.partition("?")
    pairs = [(name.encode(), value.encode()) for name, value in sent.items()]
    request = receive(method, path.encode(), query.encode(), headers=pairs, body=b"")
    assert isinstance(request, WireRequest)
    names = sorted(sent)
    digest = canonical_request(request, names, payload, service=service, without="")
    scope = f"{stamp[:8]}/{REGION}/{service}/aws4_request"
    key = signing_key(secret.encode(), stamp[:8], REGION, service)
    value = signature(key, f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}")
    sent["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={';'.join(names)}, Signature={value}"
    )
    return Signed(method, target, {**sent, **(unsigned or {})}, key, stamp, scope, value)


def chunks(signed: Signed, pieces: list[bytes], trailers: dict[str, str] | None = None) -> bytes:
    """Encode a body in signed chunks, with signed trailers when there are any."""
    before, out = signed.signature, b""
    for piece in (*pieces, b""):
        text = f"AWS4-HMAC-SHA256-PAYLOAD\n{signed.stamp}\n{signed.scope}\n{before}\n{EMPTY}\n"
        before = signature(signed.key, text + hashlib.sha256(piece).hexdigest())
        out += b"%x;chunk-signature=%s\r\n" % (len(piece), before.encode()) + piece + (b"\r\n" if piece else b"")
    if trailers is not None:
        text = "".join(f"{name}:{value}\n" for name, value in sorted(trailers.items()))
        digest = hashlib.sha256(text.encode()).hexdigest()
        last = signature(signed.key, f"AWS4-HMAC-SHA256-TRAILER\n{signed.stamp}\n{signed.scope}\n{before}\n{digest}")
        lines = [*(f"{name}:{value}" for name, value in trailers.items()), f"x-amz-trailer-signature:{last}"]
        out += "".join(f"{line}\r\n" for line in lines).encode()
    return out + b"\r\n"


def head_of(method: str, target: str, headers: dict[str, str]) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def talk(address: tuple[str, int], *parts: bytes, close: bool = False) -> list[Answer]:
    """Send raw bytes, end our side if wanted, and read answers until the server closes."""
    with socket.create_connection(address, timeout=10) as connection:
        for part in parts:
            connection.sendall(part)
        if close:
            connection.shutdown(socket.SHUT_WR)
        reader = connection.makefile("rb")
        answers = []
        while line := reader.readline():
            answers.append(_answer(line, reader))
            if answers[-1].headers.get("connection") == "close":
                assert reader.read() == b""
        return answers


def ask(address: tuple[str, int], signed: Signed, body: bytes = b"", **more: str) -> Answer:
    """Send one request and return its answer; the connection is closed."""
    headers = {**signed.headers, **more, "connection": "close"}
    if body and "content-length" not in headers and "transfer-encoding" not in headers:
        headers["content-length"] = str(len(body))
    (answer,) = talk(address, head_of(signed.method, signed.target, headers) + body)
    return answer


def _answer(line: bytes, reader: Any) -> Answer:
    status = int(line.split(b" ", 2)[1])
    message = http.client.parse_headers(reader)
    headers = {name.lower(): value for name, value in message.items()}
    assert len(headers) == len(message.items()), "a header of the answer stands twice"
    assert status == 100 or "transfer-encoding" not in headers
    return Answer(status, headers, reader.read(int(headers.get("content-length", 0))))
