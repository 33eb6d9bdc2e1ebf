"""HTTP/1.1 as the fake providers speak it: requests are read whole, answers are written piece by piece."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

MAX_HEAD_BYTES = 1 << 20


@dataclass(slots=True)
class Request:
    """One request a provider got, and what became of its answer.

    Attributes:
        method: HTTP method.
        path: As it came, without the query.
        query: As it came.
        headers: Names in lower case; of one that came twice, the values joined with ``, ``.
        body: All of it.
        events: How many events of the stream were written.
        gone: Set when the client went before the answer was whole.
        finished: Set when nothing more is to be written, whatever the reason.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    events: int = 0
    gone: threading.Event = field(default_factory=threading.Event)
    finished: threading.Event = field(default_factory=threading.Event)

    @property
    def json(self) -> dict[str, Any]:
        """The body as a JSON object; an empty one when it is none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


async def read_request(reader: asyncio.StreamReader) -> Request:
    """Read one request; raises IncompleteReadError when the client is gone."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *rows = head[:-4].split("\r\n")
    method, target, _ = line.split(" ", 2)
    headers: dict[str, str] = {}
    for row in rows:
        name, _, value = row.partition(":")
        key = name.strip().lower()
        headers[key] = f"{headers[key]}, {value.strip()}" if key in headers else value.strip()
    path, _, query = target.partition("?")
    return Request(method, path, query, headers, await _body(reader, headers))


async def _body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if "chunked" not in headers.get("transfer-encoding", ""):
        return await reader.readexactly(int(headers.get("content-length", "0")))
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return body


class Wire:
    """Writes the answer of one request."""

    def __init__(self, writer: asyncio.StreamWriter, request: Request) -> None:
        self._writer = writer
        self._request = request
        self.alive = True
        """Whether the connection can carry another request."""

    async def whole(self, status: int, headers: Mapping[str, str], body: bytes, *, cut: bool = False) -> None:
        """Answer at once, or with half of what is promised."""
        sized = {**headers, "content-length": str(len(body))}
        content = b"" if self._request.method == "HEAD" else body
        await self._write(_head(status, sized) + (content[: len(content) // 2] if cut else content))
        if cut:
            self.cut()

    async def begin(self, headers: Mapping[str, str]) -> None:
        """Begin an answer that comes in pieces."""
        await self._write(_head(200, {**headers, "transfer-encoding": "chunked"}))

    async def piece(self, raw: bytes) -> None:
        """Write one event."""
        await self._write(b"%x\r\n%s\r\n" % (len(raw), raw))
        self._request.events += 1

    async def end(self) -> None:
        """End an answer that came in pieces."""
        await self._write(b"0\r\n\r\n")

    def cut(self) -> None:
        """End the connection, whatever is missing."""
        self.alive = False
        self._writer.close()

    async def _write(self, raw: bytes) -> None:
        self._writer.write(raw)
        await self._writer.drain()


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    phrase = HTTPStatus(status).phrase if status in {each.value for each in HTTPStatus} else "Overloaded"
    rows = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} {phrase}\r\n{rows}\r\n".encode("latin-1")
