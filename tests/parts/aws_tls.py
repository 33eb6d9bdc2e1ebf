"""A TLS terminator on loopback, as stands in front of a door that is reached over https."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from tests.parts.certificate import write_certificate

_CHUNK_BYTES: Final = 256 << 10
_ADDRESS: Final = "127.0.0.1"


@contextmanager
def tls_terminator(port: int, certificate: Path) -> Iterator[str]:
    """Serve https in front of a port; write the certificate clients must believe, and yield the URL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(write_certificate(certificate, _ADDRESS))

    async def serve(outer_reader: asyncio.StreamReader, outer_writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(_ADDRESS, port)
        try:
            await asyncio.gather(_pump(outer_reader, inner_writer), _pump(inner_reader, outer_writer))
        except asyncio.CancelledError:  # a connection that was kept for more requests
            for writer in (outer_writer, inner_writer):
                writer.transport.abort()
            raise

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    starting = asyncio.start_server(serve, _ADDRESS, 0, ssl=context)
    server = asyncio.run_coroutine_threadsafe(starting, loop).result()
    try:
        yield f"https://{_ADDRESS}:{server.sockets[0].getsockname()[1]}"
    finally:
        asyncio.run_coroutine_threadsafe(_end(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await source.read(_CHUNK_BYTES):
            sink.write(piece)
            await sink.drain()
    sink.close()


async def _end(server: asyncio.Server) -> None:
    server.close()
    pumps = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in pumps:
        task.cancel()
    await asyncio.gather(*pumps, return_exceptions=True)
