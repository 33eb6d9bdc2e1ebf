"""A client process of its own: connections that send finished requests, and how long each took. Prints seconds.

Without a rate each connection asks again as soon as it is answered, which tells how much gets through. With a rate
requests are due at fixed times whatever became of the ones before; one that was late, as the one before had no answer
yet, is timed from when it was due. That tells how long a request takes when the server is not full.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httptools
import uvloop


@dataclass
class _Run:
    """What all connections share.

    Args:
        request: Bytes that are sent.
        end: When to send no more, on the performance counter.
        period_seconds: Between two requests of one connection; 0 for as fast as answers come.
        taken: Seconds of every request that was answered.
    """

    request: bytes
    end: float
    period_seconds: float
    taken: list[float] = field(default_factory=list)


class _Connection(asyncio.Protocol):
    def __init__(self, run: _Run, first: float) -> None:
        self._run = run
        self._loop = asyncio.get_running_loop()
        self._due = first
        self._transport: Any = None
        self._parser: Any = None
        self.done = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._wait()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server closed the connection"))

    def on_body(self, body: bytes) -> None:
        self._body = body

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() != 200:
            self.done.set_exception(RuntimeError(f"{self._parser.get_status_code()}: {self._body[:2000]!r}"))
            self._transport.close()
            return
        now = time.perf_counter()
        self._run.taken.append(now - self._started)
        self._due = self._due + self._run.period_seconds if self._run.period_seconds else now
        if self._due >= self._run.end:
            self.done.set_result(None)
            self._transport.close()
        elif self._due <= now:
            self._send(self._due)
        else:
            self._wait()

    def _wait(self) -> None:
        # Timers of the loop count in milliseconds, so what they let slip is not the server's.
        later = self._due - time.perf_counter()
        self._loop.call_later(max(later, 0.0), lambda: self._send(time.perf_counter()))

    def _send(self, started: float) -> None:
        self._started = started
        self._body = b""
        self._parser = httptools.HttpResponseParser(self)
        self._transport.write(self._run.request)


async def _drive(given: dict[str, Any]) -> list[float]:
    loop = asyncio.get_running_loop()
    count = int(given["connections"])
    host, _, port = str(given["host"]).partition(":")
    period = count / given["rate"] if given["rate"] else 0.0
    start = time.perf_counter() + 0.1  # every connection is open by then
    run = _Run(base64.b64decode(given["request"]), start + given["seconds"], period)
    waiting = []
    for number in range(count):
        # With a rate the connections take turns within one period.
        opened = partial(_Connection, run, start + period * number / count)
        _, connection = await loop.create_connection(opened, host, int(port))
        waiting.append(connection.done)
    await asyncio.gather(*waiting)
    return run.taken


if __name__ == "__main__":
    print(json.dumps(uvloop.run(_drive(json.load(sys.stdin)))))
