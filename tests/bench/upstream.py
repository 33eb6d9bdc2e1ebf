"""A fast S3 of two answers: 1 KiB to every GET, an empty 200 to every PUT. It checks nothing; it is a yardstick."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import httptools
import uvloop

BODY = b"x" * 1024
_HEAD = b'HTTP/1.1 200 OK\r\nx-amz-request-id: BENCH\r\nContent-Type: text/csv\r\nETag: "e"\r\nContent-Length: '
_GET = _HEAD + b"%d\r\n\r\n" % len(BODY) + BODY
_PUT = _HEAD + b"0\r\n\r\n"


class _Answerer(asyncio.Protocol):
    def __init__(self) -> None:
        self._transport: Any = None
        self._parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_headers_complete(self) -> None:
        if self._parser.get_method() != b"GET":
            # botocore waits for this before it sends a body.
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_message_complete(self) -> None:
        self._transport.write(_GET if self._parser.get_method() == b"GET" else _PUT)


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Answerer, "127.0.0.1", port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
