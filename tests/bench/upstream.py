"""A fast S3 of three answers: 1 KiB to every GET, 512 MiB to one of ``large``, an empty 200 to every PUT.

It checks nothing; it is a yardstick.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any, Final

import httptools
import uvloop

BODY: Final = b"x" * 1024
LARGE_BYTES: Final = 512 << 20
_PIECE: Final = bytes((number * 167 + number // 251) % 256 for number in range(256 << 10))
_HEAD: Final = (
    b'HTTP/1.1 200 OK\r\nx-amz-request-id: BENCH\r\nContent-Type: text/csv\r\nETag: "e"\r\nContent-Length: %d\r\n\r\n'
)
_GET: Final = _HEAD % len(BODY) + BODY
_PUT: Final = _HEAD % 0


class _Answerer(asyncio.Protocol):
    def __init__(self) -> None:
        self._transport: Any = None
        self._parser = httptools.HttpRequestParser(self)
        self._left = 0
        self._paused = False
        self._url = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._url = b""

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_headers_complete(self) -> None:
        if self._parser.get_method() != b"GET":
            # botocore waits for this before it sends a body.
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_message_complete(self) -> None:
        if self._parser.get_method() != b"GET":
            self._transport.write(_PUT)
        elif b"large" in self._url:
            self._transport.write(_HEAD % LARGE_BYTES)
            self._left = LARGE_BYTES
            self._pour()
        else:
            self._transport.write(_GET)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._pour()

    def _pour(self) -> None:
        while self._left and not self._paused:
            self._left -= len(_PIECE)
            self._transport.write(_PIECE)


async def hello(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer 1 KiB to anything, as an ASGI application: what uvicorn costs by itself."""
    length = (b"content-length", b"%d" % len(BODY))
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": BODY})


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Answerer, "127.0.0.1", port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def _serve_hello() -> None:
    import uvicorn

    config = uvicorn.Config(
        hello, port=0, loop="uvloop", http="httptools", log_level="error", access_log=False, lifespan="off"
    )
    server = uvicorn.Server(config)
    sockets = [config.bind_socket()]
    print(sockets[0].getsockname()[1], flush=True)
    await server.serve(sockets)


if __name__ == "__main__":
    if sys.argv[1:] == ["hello"]:
        uvloop.run(_serve_hello())
    else:
        uvloop.run(_serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
