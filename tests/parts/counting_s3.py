"""An S3 that only counts: every PUT and DELETE is an effect, remembered by path. It can stop answering after that.

A GET answers with `CONTENT` wherever it asks; nothing is stored.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

CONTENT: Final = b"what stands here"


class CountingS3:
    """What happened upstream.

    Attributes:
        effects: PUTs and DELETEs by path.
        reads: GETs and HEADs by path, without the query.
        mute: Paths whose effect happens and whose answer never comes: the connection is cut.
        hang: Paths whose effect happens and whose answer waits until `release` is set.
        arrived: Set when a call that hangs has been read.
    """

    def __init__(self) -> None:
        self.effects: Counter[str] = Counter()
        self.reads: Counter[str] = Counter()
        self.mute: set[str] = set()
        self.hang: set[str] = set()
        self.arrived = threading.Event()
        self.release = threading.Event()
        self.url = ""
        self._lock = threading.Lock()

    @property
    def requests(self) -> int:
        """How many requests came, of all kinds."""
        with self._lock:
            return self.effects.total() + self.reads.total()

    def happen(self, path: str) -> bool:
        """Count an effect; return whether to answer."""
        with self._lock:
            self.effects[path] += 1
        return self._waits(path)

    def look(self, path: str) -> bool:
        """Count a read; return whether to answer."""
        with self._lock:
            self.reads[path] += 1
        return self._waits(path)

    def _waits(self, path: str) -> bool:
        if path in self.hang:
            self.arrived.set()
            self.release.wait()
        return path not in self.mute


@contextmanager
def counting_s3() -> Iterator[CountingS3]:
    """Serve on a free loopback port; calls that hang are cut at the end."""
    counter = CountingS3()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._say(counter.happen(self._path), b"")

        def do_DELETE(self) -> None:
            self._say(counter.happen(self._path), b"")

        def do_GET(self) -> None:
            self._say(counter.look(self._path), CONTENT)

        def do_HEAD(self) -> None:
            self._say(counter.look(self._path), b"")

        @property
        def _path(self) -> str:
            return self.path.partition("?")[0]

        def _say(self, answers: bool, body: bytes) -> None:
            if not answers:
                self.close_connection = True
                return
            with suppress(ConnectionError):  # who waited for it may have gone
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("ETag", '"e"')
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    counter.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield counter
    finally:
        counter.release.set()
        server.shutdown()
        server.server_close()
        thread.join()
