"""A client process of its own: so many connections, each asking again as soon as it is answered. Prints seconds."""

from __future__ import annotations

import asyncio
import json
import sys
import time

import uvloop


async def _connection(host: str, request: bytes, end: float, taken: list[float]) -> None:
    name, _, port = host.partition(":")
    reader, writer = await asyncio.open_connection(name, int(port))
    while time.perf_counter() < end:
        started = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(length)
        if b" 200 " not in head.split(b"\r\n")[0]:
            sys.exit(head.decode())
        taken.append(time.perf_counter() - started)
    writer.close()
    await writer.wait_closed()


async def _drive(host: str, method: str, path: str, connections: int, seconds: float) -> list[float]:
    given = json.load(sys.stdin)
    body = given["body"].encode()
    headers = {"Host": host, "Content-Length": str(len(body)), **given["headers"]}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    request, taken = "\r\n".join(lines).encode() + body, []  # type: bytes, list[float]
    end = time.perf_counter() + seconds
    await asyncio.gather(*[_connection(host, request, end, taken) for _ in range(connections)])
    return taken


if __name__ == "__main__":
    where, verb, target, count, duration = sys.argv[1:]
    print(json.dumps(uvloop.run(_drive(where, verb, target, int(count), float(duration)))))
