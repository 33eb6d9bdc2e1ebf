"""An S3 that only counts: every PUT is an effect, remembered by key. It can stop answering after the effect."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class CountingS3:
    """What happened upstream.

    Attributes:
        effects: PUTs by path.
        mute: Paths whose effect happens and whose answer never comes: the connection is cut.
    """

    def __init__(self) -> None:
        self.effects: Counter[str] = Counter()
        self.mute: set[str] = set()
        self.url = ""
        self._lock = threading.Lock()

    def happen(self, path: str) -> bool:
        """Count an effect; return whether to answer."""
        with self._lock:
            self.effects[path] += 1
            return path not in self.mute


@contextmanager
def counting_s3() -> Iterator[CountingS3]:
    """Serve on a free loopback port."""
    counter = CountingS3()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if not counter.happen(self.path):
                self.close_connection = True
                return
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.send_header("ETag", '"e"')
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    counter.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield counter
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
