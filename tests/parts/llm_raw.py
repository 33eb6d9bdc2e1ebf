"""A client of models that sends any bytes: one connection per request, everything read until the other side ends it."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Self

DEADLINE_SECONDS: Final = 60.0
"""For a broken test only."""
HOST: Final = "127.0.0.1"
_JSON: Final = "application/json"
_END: Final = b"0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer.

    Args:
        status: HTTP status; 0 when no head came.
        headers: Names in lower case.
        body: As it came, with the marks of its chunks.
        raw: All of it.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    raw: bytes = field(default=b"", repr=False)

    @classmethod
    def of(cls, raw: bytes) -> Self:
        """Read what came on a connection."""
        head, _, body = raw.partition(b"\r\n\r\n")
        if head.startswith(b"HTTP/1.1 100 "):
            head, _, body = body.partition(b"\r\n\r\n")
        line, *rows = head.decode("latin-1").split("\r\n")
        parted = (row.partition(":") for row in rows)
        words = line.split(" ")
        return cls(
            int(words[1]) if len(words) > 1 else 0,
            {name.strip().lower(): value.strip() for name, _, value in parted},
            body,
            raw,
        )

    @property
    def whole(self) -> bool:
        """Whether all of it came."""
        if "chunked" in self.headers.get("transfer-encoding", ""):
            return self.body.endswith(_END)
        return len(self.body) == int(self.headers.get("content-length", "0"))

    @property
    def json(self) -> Any:
        """The body as JSON; None when it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def kind(self) -> str:
        """Which of our problems it is; empty when it is none of ours."""
        return self.headers.get("x-ostiary-problem", "")


def written(path: str, token: str, body: bytes, *, method: str = "POST", **headers: str) -> bytes:
    """Return a request as bytes.

    Args:
        path: Target, as it stands in the first line.
        token: Sent as ``x-api-key``; empty for none.
        body: As it is.
        method: HTTP method.
        **headers: More of them, ``_`` for ``-``; one that is empty takes a usual one away.
    """
    usual = {
        "host": HOST,
        "connection": "close",
        "content-type": _JSON,
        "content-length": str(len(body)),
        "x-api-key": token,
    }
    said = {**usual, **{name.replace("_", "-"): value for name, value in headers.items()}}
    rows = "".join(f"{name}: {value}\r\n" for name, value in said.items() if value)
    return f"{method} {path} HTTP/1.1\r\n{rows}\r\n".encode("latin-1") + body


def send(port: int, raw: bytes) -> Answered:
    """Send bytes and return what came back."""
    with socket.create_connection((HOST, port), timeout=DEADLINE_SECONDS) as connection:
        found = bytearray()
        # One that is refused before all of it was sent is cut; what was said before is there to read.
        with suppress(ConnectionError):
            connection.sendall(raw)
        with suppress(ConnectionError):
            while piece := connection.recv(1 << 16):
                found += piece
        return Answered.of(bytes(found))


class Listener:
    """A client that reads an answer while it comes.

    Attributes:
        raw: What came so far.
    """

    def __init__(self, port: int, request: bytes) -> None:
        self.raw = bytearray()
        self._task = asyncio.create_task(self._run(port, request))

    async def answer(self) -> Answered:
        """Wait until the connection ends."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            await self._task
        return Answered.of(bytes(self.raw))

    async def _run(self, port: int, request: bytes) -> None:
        reader, writer = await asyncio.open_connection(HOST, port)
        try:
            with suppress(ConnectionError):
                writer.write(request)
                await writer.drain()
                while piece := await reader.read(1 << 16):
                    self.raw += piece
        finally:
            writer.close()


async def crowd(requests: Mapping[int, list[bytes]]) -> list[Answered]:
    """Send all requests at once, those of each port there, and return the answers in no order."""
    clients = [Listener(port, request) for port, many in requests.items() for request in many]
    return [await each.answer() for each in clients]
